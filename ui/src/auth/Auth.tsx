import { useMutation } from "@tanstack/react-query"
import { type FormEvent, type ReactNode, useState } from "react"
import { accounts } from "@/api/calls"
import { hasCode, wordsOf } from "@/api/client"
import type { Account } from "@/api/types"
import { Button } from "@/parts/Button"
import { Wordmark } from "@/parts/Door"
import { Field } from "@/parts/Field"
import { Link } from "@/parts/Link"
import { Threshold } from "./Threshold"

interface Props {
  mode: "in" | "up"
  onSignedIn: (account: Account) => void
}

export default function Auth({ mode, onSignedIn }: Props) {
  return (
    <div className="grid h-full overflow-y-auto bg-sheet lg:grid-cols-[minmax(26rem,1fr)_minmax(0,1.15fr)]">
      <aside className="relative h-44 overflow-hidden sm:h-56 lg:order-2 lg:h-full">
        <Threshold className="absolute inset-0 size-full" />
        <p className="absolute right-10 bottom-10 left-10 hidden max-w-md font-serif text-3xl leading-[1.12] font-[340] tracking-[-0.02em] text-[#fdf3e0] text-balance lg:block">
          A chat that learns from the people who use it.
        </p>
      </aside>
      <main className="flex flex-col px-6 py-8 sm:px-12 lg:overflow-y-auto lg:px-[max(3rem,12%)] lg:py-10">
        <Wordmark className="text-lg" />
        <div className="my-auto w-full max-w-sm py-10">
          {mode === "up" ? <SignUp onSignedIn={onSignedIn} /> : <SignIn onSignedIn={onSignedIn} />}
        </div>
      </main>
    </div>
  )
}

function Title({ children, below }: { children: string; below: string }) {
  return (
    <header className="settle mb-8">
      <h1 className="font-serif text-3xl leading-tight font-[380] tracking-[-0.022em]">
        {children}
      </h1>
      <p className="mt-2 text-base text-soft">{below}</p>
    </header>
  )
}

function Form({ onSubmit, children }: { onSubmit: () => void; children: ReactNode }) {
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form onSubmit={submit} className="settle settle-1 flex flex-col gap-5" noValidate>
      {children}
    </form>
  )
}

function SignIn({ onSignedIn }: { onSignedIn: Props["onSignedIn"] }) {
  const [email, setEmail] = useState("")
  const [password, setPassword] = useState("")
  const [code, setCode] = useState("")
  const enter = useMutation({
    mutationFn: () => accounts.signIn({ email, password, otp: code || undefined }),
    onSuccess: onSignedIn,
  })
  const codeMissing = hasCode(enter.error, "second_factor_required")
  const [codeWanted, setCodeWanted] = useState(false)
  if (codeMissing && !codeWanted) setCodeWanted(true)

  if (codeWanted)
    return (
      <>
        <Title below="Enter the code that your authenticator shows, or one of your recovery codes.">
          One more step
        </Title>
        <Form onSubmit={() => enter.mutate()}>
          <Field
            label="One-time code"
            value={code}
            onChange={(event) => setCode(event.target.value.trim())}
            autoComplete="one-time-code"
            inputMode="text"
            autoFocus
            className="font-mono text-lg tracking-[0.2em]"
            error={enter.error && !codeMissing ? wordsOf(enter.error) : null}
          />
          <Button
            type="submit"
            look="primary"
            className="h-11"
            busy={enter.isPending}
            disabled={!code}
          >
            Continue
          </Button>
          <Button
            look="plain"
            onClick={() => {
              setCodeWanted(false)
              setCode("")
              enter.reset()
            }}
          >
            Back
          </Button>
        </Form>
      </>
    )

  return (
    <>
      <Title below="Sign in to go on where you were.">Welcome back</Title>
      <Form onSubmit={() => enter.mutate()}>
        <Field
          label="E-mail"
          type="email"
          autoComplete="username"
          autoFocus
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <Field
          label="Password"
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          error={enter.error && wordsOf(enter.error)}
        />
        <Button
          type="submit"
          look="primary"
          className="mt-1 h-11"
          busy={enter.isPending}
          disabled={!email || !password}
        >
          Sign in
        </Button>
      </Form>
      <Other text="New here?" href="/signup" label="Create an account" />
    </>
  )
}

/** Which field a refusal of the sign-up belongs to. */
function fieldOf(error: unknown) {
  if (hasCode(error, "weak_password")) return "password"
  return hasCode(error, "email_taken") ? "email" : "form"
}

function SignUp({ onSignedIn }: { onSignedIn: Props["onSignedIn"] }) {
  const [name, setName] = useState("")
  const [email, setEmail] = useState("")
  const [password, setPassword] = useState("")
  const enter = useMutation({
    mutationFn: () => accounts.signUp({ email, password, display_name: name.trim() || undefined }),
    onSuccess: onSignedIn,
  })
  const words = enter.error && wordsOf(enter.error)
  const place = fieldOf(enter.error)
  return (
    <>
      <Title below="It takes a name, an address and a good password.">Come in</Title>
      <Form onSubmit={() => enter.mutate()}>
        <Field
          label="What should liminal call you?"
          autoComplete="name"
          autoFocus
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Field
          label="E-mail"
          type="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          error={place === "email" ? words : null}
        />
        <Field
          label="Password"
          type="password"
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          hint="At least ten characters. A few words in a row are good."
          error={place === "password" ? words : null}
        />
        {place === "form" && words && (
          <p role="alert" className="text-sm text-rose">
            {words}
          </p>
        )}
        <Button
          type="submit"
          look="primary"
          className="mt-1 h-11"
          busy={enter.isPending}
          disabled={!email || !password}
        >
          Create account
        </Button>
      </Form>
      <Other text="Have an account?" href="/signin" label="Sign in" />
    </>
  )
}

function Other({ text, href, label }: { text: string; href: string; label: string }) {
  return (
    <p className="settle settle-2 mt-8 text-sm text-soft">
      {text}{" "}
      <Link href={href} className="font-semibold text-tide underline-offset-4 hover:underline">
        {label}
      </Link>
    </p>
  )
}
