/** What the log says of a store that is opened, and of damage that shows while it is used. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Episodes, type SidecarDamage } from './store/episodes.ts'
import { HashPool } from './store/hashing/hash-pool.ts'
import type { IndexLog } from './store/index-log.ts'
import type { StoreLayout } from './store/layout.ts'
import { recover } from './store/recover.ts'
import { Uploads } from './store/uploads.ts'

/** @throws ConfigError for a folder that cannot be made */
export async function makeStateDir(path: string): Promise<void> {
  try {
    await makeDir(path)
  } catch (error) {
    throw new ConfigError(`state_dir: cannot make ${path}: ${messageOf(error).split(',')[0]}`)
  }
}

/** @throws UserError for a store that is only half restored */
export async function recoverStore(layout: StoreLayout, index: IndexLog, log: Logger): Promise<void> {
  if (existsSync(layout.restoring)) throw new UserError(`${layout.root} is only half restored: run cis490-receiver restore again`)
  const recovered = await recover(layout, index, ({ archives, bytes, whole }) => {
    if (whole) log.info({ event: 'reading', archives, bytes }, 'reading the archives that have no row yet')
    else
      log.warn(
        { event: 'unread', archives, bytes },
        'too much has no row to be read at start; run cis490-receiver fsck --verify-hashes',
      )
  })
  if (Object.values(recovered).some((count) => count > 0))
    log.warn({ event: 'recovered', ...recovered }, 'finished what a crash left')
  const { damaged, rows_without_archive, without_sidecar } = recovered
  if (damaged > 0) log.error({ event: 'damaged', damaged }, 'archives without a row were damaged; losses.jsonl names them')
  if (rows_without_archive > 0 || without_sidecar > 0)
    log.error(
      { rows_without_archive, without_sidecar },
      'the store has damage that a start does not mend; run cis490-receiver fsck',
    )
}

/** As many as one host has. */
const openShelves = 256

export function openEpisodes(layout: StoreLayout, log: Logger): Episodes {
  const onDamage = ({ host, id, fault }: SidecarDamage) => {
    if (fault === undefined) log.warn({ event: 'receipt-mended', host, id }, 'a damaged receipt was written anew from its row')
    else log.error({ event: 'receipt-damaged', host, id, reason: fault }, 'a receipt is damaged; cis490-receiver fsck tells more')
  }
  return new Episodes(layout, onDamage, openShelves)
}

/** One thread receives, the other processors may hash. */
export function openHashing(log: Logger): HashPool {
  return new HashPool(Math.max(1, availableParallelism() - 1), (error) =>
    log.warn({ event: 'hash-worker-ended', err: error }, 'a thread that hashes has ended; what it had is hashed anew'),
  )
}

export async function openUploads(layout: StoreLayout, maxAgeMs: number, hashes: HashPool, log: Logger): Promise<Uploads> {
  const uploads = await Uploads.open(layout, maxAgeMs, Date.now(), hashes)
  const { recovered } = uploads
  if (Object.values(recovered).some((count) => count > 0))
    log.warn({ event: 'recovered', ...recovered }, 'cut uploads to what was told of them')
  return uploads
}
