import { Dialog, DialogBody } from "@/parts/Dialog"
import { Kbd } from "@/parts/Small"
import { type ShortcutName, shortcuts, shownKeys } from "./shortcuts"

const groups = [...new Set(Object.values(shortcuts).map(({ group }) => group))]
const names = Object.keys(shortcuts) as ShortcutName[]

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" width="medium" onClose={onClose}>
      <DialogBody>
        <div className="grid gap-x-10 gap-y-6 sm:grid-cols-2">
          {groups.map((group) => (
            <section key={group} className={group === "Conversation" ? "sm:row-span-2" : ""}>
              <h3 className="mb-2 text-sm font-semibold text-faint">{group}</h3>
              <dl>
                {names
                  .filter((name) => shortcuts[name].group === group)
                  .map((name) => (
                    <div
                      key={name}
                      className="flex items-center justify-between gap-4 py-1.5 text-sm"
                    >
                      <dt>{shortcuts[name].label}</dt>
                      <dd className="flex gap-1">
                        {shownKeys(name).map((key) => (
                          <Kbd key={key}>{key}</Kbd>
                        ))}
                      </dd>
                    </div>
                  ))}
              </dl>
            </section>
          ))}
        </div>
      </DialogBody>
    </Dialog>
  )
}
