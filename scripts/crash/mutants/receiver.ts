/** The store's recipe, broken step by step. */
import type { Mutant } from './mutant.ts'

const receiver = 'packages/receiver/src'
const shared = 'packages/shared/src/node'

export const receiverMutants: readonly Mutant[] = [
  {
    name: 'no-file-sync',
    breaks: 'the archive is not synced before it gets its name',
    file: `${receiver}/store/incoming.ts`,
    find: 'await this.#file.sync()',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'put', form: 'ext4' },
      { scenario: 'put', form: 'xfs' },
    ],
  },
  {
    name: 'no-folder-sync',
    breaks: 'folders are not synced: a new name may be gone after a power cut',
    file: `${shared}/durable.ts`,
    find: 'await dir.sync()',
    replace: 'await Promise.resolve(dir)',
    tries: [{ scenario: 'upload', form: 'ext4' }],
  },
  {
    name: 'report-journal-unsynced',
    breaks: 'a report is acknowledged before the row of the journal is durable that it rests on',
    file: `${receiver}/store/report-section.ts`,
    find: 'await this.#journal.append(',
    replace: 'void this.#journal.append(',
    tries: [
      { scenario: 'report', form: 'ext4' },
      { scenario: 'report', form: 'xfs' },
    ],
  },
  {
    name: 'report-journal-gone-early',
    breaks: 'a section of the journal goes before the reports that it holds are synced in their place',
    file: `${receiver}/store/report-journal.ts`,
    find: 'await this.#syncReports(section.hosts)',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'report', form: 'ext4' },
      { scenario: 'report', form: 'xfs' },
    ],
  },
  {
    name: 'report-journal-unread',
    breaks: 'the start takes the journal of reports away without showing what only it holds',
    file: `${receiver}/store/recover-reports.ts`,
    find: 'await inParallel(reports, atOnce,',
    replace: 'await inParallel([], atOnce,',
    tries: [
      { scenario: 'report', form: 'ext4' },
      { scenario: 'report', form: 'xfs' },
    ],
  },
  {
    name: 'no-shelf-sync',
    breaks: 'the names of an episode are not synced before its row',
    file: `${receiver}/store/episodes.ts`,
    find: 'await shelf.sync()',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'single', form: 'ext4' },
      { scenario: 'single', form: 'xfs' },
    ],
    equivalent:
      'on ext4 and XFS the sync of the row writes the journal of the whole file system, with the names that were given before it; the sync is kept for file systems that promise less',
  },
  {
    name: 'no-sidecar',
    breaks: 'the receipt is not written before the archive gets its name',
    file: `${receiver}/store/episodes.ts`,
    find: 'if (!linkNew(from.sidecar, this.#layout.sidecar(key)) && ',
    replace: 'if (from.sidecar === "" && ',
    tries: [{ scenario: 'put', form: 'kill' }],
  },
  {
    name: 'rename-for-link',
    breaks: 'a name is taken by rename, which replaces what has it',
    file: `${shared}/durable.ts`,
    find: 'linkSync(from, to)\n    return true',
    replace: 'renameSync(from, to)\n    return true',
    tries: [{ scenario: 'race', form: 'kill' }],
  },
  {
    name: 'receipt-before-link',
    breaks: 'the client has its receipt before the episode has its name',
    file: `${receiver}/routes/publish-episode.ts`,
    find: '  await link(key, body, receipt, ports)\n',
    replace:
      '  void link(key, body, receipt, ports).catch(() => undefined)\n  await new Promise((resolve) => setTimeout(resolve, 0))\n',
    tries: [{ scenario: 'put', form: 'kill' }],
  },
  {
    name: 'receipt-before-row',
    breaks: 'the client has its receipt before the row is written',
    file: `${receiver}/routes/publish-episode.ts`,
    find: '    await ports.index.append(receipt)\n',
    replace: '    void ports.index.append(receipt)\n',
    tries: [{ scenario: 'put', form: 'kill' }],
    equivalent: 'the sidecar is durable by then, and recovery makes the row of it',
  },
  {
    name: 'no-journal-sync',
    breaks: 'rows of a journal are written and not synced: what was taken out on purpose goes before the word for it is durable',
    file: `${shared}/journal.ts`,
    find: 'await this.#file.datasync()',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'prune', form: 'ext4' },
      { scenario: 'prune', form: 'xfs' },
    ],
  },
  {
    name: 'offset-before-sync',
    breaks: 'the offset of an upload is told before its bytes are synced',
    file: `${receiver}/store/upload-part.ts`,
    find: 'await this.#file.sync().catch(',
    replace: 'await Promise.resolve().catch(',
    tries: [
      { scenario: 'upload', form: 'ext4' },
      { scenario: 'upload', form: 'xfs' },
    ],
  },
  {
    name: 'no-torn-tail-repair',
    breaks: 'half a row at the end of a journal stays, and the next row is written behind it',
    file: `${shared}/journal.ts`,
    find: 'await file.truncate(complete)',
    replace: 'await Promise.resolve()',
    tries: [{ scenario: 'put', form: 'kill' }],
  },
  {
    name: 'no-truncate-after-short-write',
    breaks: 'half a row stays when the disk was full in the middle of it',
    file: `${shared}/journal.ts`,
    find: 'await this.#file.truncate(this.#size).catch(() => undefined)',
    replace: 'await Promise.resolve()',
    tries: [{ scenario: 'put', form: 'errno' }],
    equivalent:
      'the journal refuses every row after a failed one and is opened anew, and opening cuts the half row off; until then it is half a row at the end, which readers do not take for one',
  },
  {
    name: 'short-write-believed',
    breaks: 'a write that took half is taken for a whole one',
    file: `${shared}/durable.ts`,
    find: 'done += writeSync(fd, bytes, done)',
    replace: 'done += Math.max(writeSync(fd, bytes, done), bytes.length)',
    tries: [
      { scenario: 'report', form: 'errno' },
      { scenario: 'upload', form: 'errno' },
    ],
  },
  {
    name: 'short-batch-believed',
    breaks: 'a batch of a body of which the disk took half is taken for a whole one',
    file: `${receiver}/store/body-writer.ts`,
    find: '  return left === 0 ? chunks.slice(k) :',
    replace: '  return bytes > 0 ? [] :',
    tries: [{ scenario: 'put', form: 'errno' }],
  },
  {
    name: 'sync-tried-again',
    breaks: 'a sync that failed is tried again and believed',
    file: `${receiver}/store/incoming.ts`,
    find: 'await this.#file.sync()',
    replace: 'await this.#file.sync().catch(() => this.#file.sync())',
    tries: [{ scenario: 'put', form: 'errno' }],
  },
  {
    name: 'recovery-adds-no-row',
    breaks: 'an archive that has its receipt and no row gets none at the start',
    file: `${receiver}/store/recover.ts`,
    find: 'for (const receipt of inTime(whole)) await index.append(receipt)',
    replace: 'for (const receipt of inTime(whole)) await Promise.resolve(receipt)',
    tries: [{ scenario: 'put', form: 'kill' }],
  },
]
