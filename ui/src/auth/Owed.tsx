import { Button } from "@/parts/Button"
import { nameOf, useAccount } from "@/session"
import { SecondFactor } from "@/settings/SecondFactor"
import { useSignOut } from "@/shell/signOut"
import { Doorway, Title } from "./Doorway"

/** For an account that has to have a second factor before it may do anything else. */
export default function Owed() {
  const account = useAccount()
  const signOut = useSignOut()
  return (
    <Doorway>
      <Title
        below={`${nameOf(account)}, whoever runs this installation asks for more than a password.`}
      >
        One more thing
      </Title>
      <SecondFactor />
      <Button look="plain" onClick={signOut} className="mt-4 -ml-4">
        Sign out
      </Button>
    </Doorway>
  )
}
