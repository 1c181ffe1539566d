/** `alerts.jsonl`: append only, durable before anybody is told, and the only memory of what fired. */
import { join } from 'node:path'
import type { AlertRow } from '@cis490/shared/alert.ts'
import { Journal } from '@cis490/shared/node/journal.ts'

export async function appendAlerts(stateDir: string, rows: readonly AlertRow[]): Promise<void> {
  await using journal = await Journal.open(join(stateDir, 'alerts.jsonl'))
  await Promise.all(rows.map((row) => journal.append(row)))
}
