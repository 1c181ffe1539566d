/** The commit set moves on twice while the receiver runs; what it wrote down has to be one of the sets that there were. */
import { gatePath } from '@cis490/shared/protocol.ts'
import { TinyForgejo } from '../../../test/support/forgejo.ts'
import { checkReceiver } from '../receiver/check.ts'
import type { Client } from '../receiver/client.ts'
import { commits, prepareBodies, prepareState, withReceiver } from '../receiver/place.ts'
import type { Finding, Scenario } from '../scenario.ts'

const pushed = ['e', 'f'].map((letter) => letter.repeat(40))

async function headSeen(client: Client, head: string): Promise<void> {
  for (;;) {
    const { body } = await client.ask({ method: 'GET', path: gatePath() })
    if (body['head'] === head) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function look(client: Client): Promise<Finding[]> {
  const { body } = await client.ask({ method: 'GET', path: gatePath() })
  if (body['source'] === 'disk-cache' && [...commits, ...pushed].includes(String(body['head']))) return []
  return [{ kind: 'torn', detail: `the stored commit set cannot be used: ${JSON.stringify(body)}` }]
}

export const gate: Scenario = {
  name: 'gate',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(place, [])
    await withReceiver(place, async () => undefined)
  },
  async work(place, _tell, begin) {
    await using forge = await TinyForgejo.start({ owner: 'o', name: 'n' })
    for (const commit of commits.toReversed()) forge.pushCommit(commit)
    const asking = { forgejo_url: forge.url, repo_owner: 'o', repo_name: 'n', window: 3, refresh: '50ms' }
    await withReceiver(
      place,
      async (client) => {
        begin()
        for (const commit of pushed) {
          forge.pushCommit(commit)
          await headSeen(client, commit)
        }
      },
      { version_gate: asking },
    )
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, { look }),
}
