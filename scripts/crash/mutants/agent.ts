/** The outbox's recipe, broken step by step. */
import type { Mutant } from './mutant.ts'

const agent = 'packages/agent/src'
const shared = 'packages/shared/src/node'

export const agentMutants: readonly Mutant[] = [
  {
    name: 'delete-before-receipt',
    breaks: 'a delivered archive goes before its receipt is durable',
    file: `${agent}/outbox/outbox.ts`,
    find: '      await this.#receipts.append(known, {',
    replace: '      await this.remove(entry.id)\n      await this.#receipts.append(known, {',
    tries: [{ scenario: 'resume', form: 'kill' }],
  },
  {
    name: 'delete-before-tombstone',
    breaks: 'an archive that is given up goes before its tombstone is durable',
    file: `${agent}/outbox/outbox.ts`,
    find: '    await this.bury({ id, reason, by, sha256,',
    replace: '    await this.remove(id)\n    await this.bury({ id, reason, by, sha256,',
    tries: [{ scenario: 'drop', form: 'kill' }],
  },
  {
    name: 'second-copy-before-tombstone',
    breaks: 'a second copy that makes room goes without waiting for its tombstone',
    file: `${agent}/commands/make-room.ts`,
    find: ') await outbox.bury(grave)\n',
    replace: ') setTimeout(() => void outbox.bury(grave).catch(() => undefined), 200)\n',
    tries: [{ scenario: 'quota', form: 'kill' }],
  },
  {
    name: 'packing-not-deterministic',
    breaks: 'an archive has the time of its packing in it',
    file: `${agent}/episodes/tar-header.ts`,
    find: 'mtime: whole ? seconds : 0,',
    replace: 'mtime: Math.floor(Date.now() / 10),',
    tries: [{ scenario: 'ship', form: 'kill' }],
  },
  {
    name: 'no-part-sync',
    breaks: 'a packed archive is not synced before it gets its name',
    file: `${agent}/episodes/pack.ts`,
    find: 'await part.sync()',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'ship', form: 'ext4' },
      { scenario: 'ship', form: 'xfs' },
    ],
  },
  {
    name: 'receipt-not-synced',
    breaks: 'receipts are written and not synced before what they stand for goes',
    file: `${shared}/journal.ts`,
    find: 'await this.#file.datasync()',
    replace: 'await Promise.resolve()',
    tries: [
      { scenario: 'resume', form: 'ext4' },
      { scenario: 'resume', form: 'xfs' },
    ],
  },
  {
    name: 'last-copy-reclaimed',
    breaks: 'reclaim takes an archive without a sidecar away although its folder is gone',
    file: `${agent}/core/outbox-plan.ts`,
    find: "    return hasFolder ? { act: 'remove-entry', id, reason: 'folder-still-there' } : { act: 'adopt', id, reason: 'last-copy' }",
    replace: "    return { act: 'remove-entry', id, reason: 'folder-still-there' }",
    tries: [{ scenario: 'reclaim', form: 'kill' }],
  },
  {
    name: 'archive-before-sidecar',
    breaks: 'an archive gets its name before its sidecar is there',
    file: `${agent}/outbox/outbox.ts`,
    find: '    await this.#packed.append(row)\n    await this.#replaceSidecar(entry)\n',
    replace:
      '    await this.#packed.append(row)\n    await linkNew(this.partPath(entry.id), this.archivePath(entry.id))\n    await this.#replaceSidecar(entry)\n    await removeFile(this.archivePath(entry.id))\n',
    tries: [{ scenario: 'ship', form: 'kill' }],
    equivalent: 'an archive alone whose folder is there is taken away by the next scan and packed again, to the same bytes',
  },
]
