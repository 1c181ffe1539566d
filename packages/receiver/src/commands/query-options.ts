/** The filters of `list` and `manifest`: the words of `GET /v1/episodes` as options. */
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { type EpisodeQuery, parseQuery, QueryFault, type QueryFields } from '../core/episode-query.ts'

export function addFilters(command: Command): Command {
  return command
    .option('--commit <hash>', 'of this commit, or of those that begin so')
    .option('--host <name>', 'of this host')
    .option('--since <time>', 'received then or later: 2026-11-01, 2026-11-01T12:00:00Z, or 24h for that long ago')
    .option('--until <time>', 'received before')
}

/** @throws UserError that names the option */
export function queryOf(fields: QueryFields): EpisodeQuery {
  try {
    return parseQuery(fields, Date.now())
  } catch (error) {
    if (error instanceof QueryFault) throw new UserError(`--${error.message}`, exit.usage)
    throw error
  }
}
