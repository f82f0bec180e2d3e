import { useMutation } from "@tanstack/react-query"
import { type FormEvent, type ReactNode, useState } from "react"
import { accounts } from "@/api/calls"
import { hasCode, wordsOf } from "@/api/client"
import type { Account } from "@/api/types"
import { Button } from "@/parts/Button"
import { Field } from "@/parts/Field"
import { Link } from "@/parts/Link"
import { toast } from "@/parts/Toasts"
import { navigate } from "@/router"
import { Doorway, Title } from "./Doorway"

interface Props {
  mode: "in" | "up" | "reset"
  onSignedIn: (account: Account) => void
}

export default function Auth({ mode, onSignedIn }: Props) {
  return (
    <Doorway>
      {mode === "in" && <SignIn onSignedIn={onSignedIn} />}
      {mode === "up" && <SignUp onSignedIn={onSignedIn} />}
      {mode === "reset" && <Reset />}
    </Doorway>
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
      <Other text="Forgot the password?" href="/reset" label="Use a token" close />
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

/** For who forgot the password: an admin gives out a token that sets a new one. */
function Reset() {
  const [token, setToken] = useState("")
  const [password, setPassword] = useState("")
  const [code, setCode] = useState("")
  const reset = useMutation({
    mutationFn: () =>
      accounts.resetPassword({ token: token.trim(), new: password, otp: code || undefined }),
    onSuccess: () => {
      toast("The new password is set. Sign in with it.")
      navigate("/signin", "replace")
    },
  })
  const weak = hasCode(reset.error, "weak_password")
  const words = reset.error && wordsOf(reset.error)
  return (
    <>
      <Title below="An admin can give you a token that sets a new password, once.">
        A new password
      </Title>
      <Form onSubmit={() => reset.mutate()}>
        <Field
          label="Token"
          autoFocus
          autoComplete="off"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          error={weak ? null : words}
          className="font-mono"
        />
        <Field
          label="New password"
          type="password"
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          error={weak ? words : null}
        />
        <Field
          label="One-time code"
          hint="Only where you have a second factor."
          autoComplete="one-time-code"
          value={code}
          onChange={(event) => setCode(event.target.value.trim())}
        />
        <Button
          type="submit"
          look="primary"
          className="mt-1 h-11"
          busy={reset.isPending}
          disabled={!token || !password}
        >
          Set the password
        </Button>
      </Form>
      <Other text="Remembered it?" href="/signin" label="Sign in" />
    </>
  )
}

interface OtherProps {
  text: string
  href: string
  label: string
  close?: boolean
}

function Other({ text, href, label, close }: OtherProps) {
  return (
    <p className={`settle settle-2 text-sm text-soft ${close ? "mt-2" : "mt-8"}`}>
      {text}{" "}
      <Link href={href} className="font-semibold text-tide underline-offset-4 hover:underline">
        {label}
      </Link>
    </p>
  )
}
