import { ArchiveRestore, Trash2 } from "lucide-react"
import { useState } from "react"
import type { Conversation } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Link } from "@/parts/Link"
import { Bars, Empty, Failed } from "@/parts/States"
import { ago, count } from "@/parts/time"
import { titleOf, useArchive, useConversations, useRemove } from "./conversations"
import { TopBar } from "./TopBar"

export function Archived() {
  const list = useConversations(true)
  return (
    <div className="flex h-full flex-col">
      <TopBar title="Archive" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-2xl px-4 pb-16">
          {list.isPending && <Bars rows={5} className="pt-6" />}
          {list.isError && (
            <Failed what="No archive" error={list.error} onRetry={() => list.refetch()} />
          )}
          {list.isSuccess && list.items.length === 0 && (
            <Empty title="Nothing is put away">
              A conversation that you archive leaves the list and waits here.
            </Empty>
          )}
          <ul className="divide-y divide-line">
            {list.items.map((each) => (
              <Item key={each.id} conversation={each} />
            ))}
          </ul>
          {list.hasNextPage && (
            <Button small className="mt-4" onClick={() => list.fetchNextPage()}>
              Show more
            </Button>
          )}
        </div>
      </div>
    </div>
  )
}

function Item({ conversation }: { conversation: Conversation }) {
  const archive = useArchive()
  const remove = useRemove()
  const [removing, setRemoving] = useState(false)
  const { id } = conversation
  return (
    <li className="flex items-center gap-2 py-3">
      <Link href={`/c/${id}`} className="min-w-0 flex-1 rounded-sm">
        <span className="block truncate">{titleOf(conversation)}</span>
        <span className="text-xs text-faint">
          {ago(conversation.last_message_at ?? conversation.created_at)} ·{" "}
          {count(conversation.message_count)} messages
        </span>
      </Link>
      <IconButton label="Back to the list" onClick={() => archive.mutate({ id, value: false })}>
        <ArchiveRestore />
      </IconButton>
      <IconButton label="Delete" onClick={() => setRemoving(true)}>
        <Trash2 />
      </IconButton>
      {removing && (
        <Confirm
          title="Delete this conversation?"
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={() => remove.mutate({ id, value: null })}
        >
          “{titleOf(conversation)}” and all its messages go from search, too.
        </Confirm>
      )}
    </li>
  )
}
