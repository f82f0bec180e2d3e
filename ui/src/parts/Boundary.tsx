import { Component, type ReactNode } from "react"
import { Button } from "./Button"
import { Door } from "./Door"

interface Props {
  /** Another place is another try. */
  place: string
  children: ReactNode
}

interface State {
  broken: boolean
  place: string
}

/** Stands between a mistake in one view and a blank page. */
export class Boundary extends Component<Props, State> {
  override state: State = { broken: false, place: this.props.place }

  static getDerivedStateFromError(): Partial<State> {
    return { broken: true }
  }

  static getDerivedStateFromProps({ place }: Props, state: State): Partial<State> | null {
    return place === state.place ? null : { place, broken: false }
  }

  override render() {
    if (!this.state.broken) return this.props.children
    return (
      <div role="alert" className="grid h-full place-items-center p-6">
        <div className="flex flex-col items-center gap-2 text-center">
          <Door className="mb-2 size-9" lit={false} />
          <p className="font-serif text-xl font-[450]">This page broke</p>
          <p className="max-w-sm text-sm text-faint">
            That is a mistake of ours. What you wrote is on the server, or kept in this browser.
          </p>
          <Button small className="mt-3" onClick={() => location.reload()}>
            Load it again
          </Button>
        </div>
      </div>
    )
  }
}
