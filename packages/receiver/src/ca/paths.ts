/**
 * What the CA keeps below the state folder, beside its certificate and key.
 *
 *     <state_dir>/
 *       revoked.jsonl        hosts and certificates that are out; append only
 *       ca/ca.lock           held while CA or server certificate are made, or a revocation is written
 *       ca/issued.jsonl      a row a certificate that was given out; append only
 *       ca/tokens/<id>.json  a join token: its host, its end and a hash of its secret
 *       ca/tokens/<id>.used  the key that it was used for
 */
import { join } from 'node:path'

export interface CaPaths {
  readonly revoked: string
  readonly folder: string
  readonly lock: string
  readonly issued: string
  readonly tokens: string
}

export function caPaths(stateDir: string): CaPaths {
  const folder = join(stateDir, 'ca')
  return {
    revoked: join(stateDir, 'revoked.jsonl'),
    folder,
    lock: join(folder, 'ca.lock'),
    issued: join(folder, 'issued.jsonl'),
    tokens: join(folder, 'tokens'),
  }
}
