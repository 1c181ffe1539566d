/** What one receiver carries, from what single things were measured to cost. Pure. */

export interface Costs {
  readonly cores: number
  /** CPU of the whole process for a GiB of body: TLS, hash, writing. */
  readonly cpu_s_per_gib: number
  /** The part of it that one thread does: TLS and HTTP. */
  readonly main_cpu_s_per_gib: number
  /** CPU of an episode apart from its bytes: request, gate, inspection, sidecar, row. */
  readonly cpu_ms_per_episode: number
  /** Durable writes of the disk, one after the other; an episode needs `syncs_per_episode`. */
  readonly syncs_per_s: number
  readonly syncs_per_episode: number
  readonly disk_mb_per_s: number
  readonly cpu_ms_per_heartbeat: number
  readonly cpu_ms_per_handshake: number
  readonly index_bytes_per_row: number
  /** Rows a second that a cold fold of the index takes in. */
  readonly fold_rows_per_s: number
}

/** How a fleet behaves. */
export interface Fleet {
  readonly episode_bytes: number
  readonly episodes_per_host_day: number
  readonly heartbeat_every_s: number
  readonly handshakes_per_host_day: number
}

export type Bound = 'cpu' | 'main-thread' | 'disk' | 'syncs'

export interface Capacity {
  readonly episode_bytes: number
  readonly episodes_per_s: number
  readonly episodes_per_day: number
  readonly tb_per_day: number
  readonly hosts: number
  readonly bound: Bound
  readonly index_gb_per_year: number
  readonly fold_s_after_a_year: number
}

/** Above this share of a resource, waiting grows faster than throughput. */
export const planned = 0.7

const gib = 2 ** 30
const day = 86_400

export const nextStep: Readonly<Record<Bound, string>> = {
  cpu: 'a processor with instructions for SHA-256 hashes three to four times as fast; else more cores for the hash threads',
  'main-thread': 'a second receiver with its own store, and hosts shared out between them by name',
  disk: 'a disk that writes faster, or stores on several disks with a receiver each',
  syncs: 'a disk with a write cache that survives power cuts; group commit makes one sync serve several episodes',
}

/** Episodes a second that each resource allows, at `planned` of it. */
export function limitsOf(costs: Costs, fleet: Pick<Fleet, 'episode_bytes'>): Record<Bound, number> {
  const size = fleet.episode_bytes / gib
  const each = costs.cpu_ms_per_episode / 1000
  return {
    cpu: (planned * costs.cores) / (each + size * costs.cpu_s_per_gib),
    'main-thread': planned / (each + size * costs.main_cpu_s_per_gib),
    disk: (planned * costs.disk_mb_per_s * 1e6) / fleet.episode_bytes,
    syncs: (planned * costs.syncs_per_s) / costs.syncs_per_episode,
  }
}

export function capacityOf(costs: Costs, fleet: Fleet): Capacity {
  const limits = limitsOf(costs, fleet)
  const bound = (Object.keys(limits) as Bound[]).reduce((a, b) => (limits[b] < limits[a] ? b : a))
  const episodes_per_s = limits[bound]
  const episodes_per_day = episodes_per_s * day
  const rows = episodes_per_day * 365
  return {
    episode_bytes: fleet.episode_bytes,
    episodes_per_s,
    episodes_per_day,
    tb_per_day: (episodes_per_day * fleet.episode_bytes) / 1e12,
    hosts: Math.floor(hostsOf(costs, fleet, episodes_per_s)),
    bound,
    index_gb_per_year: (rows * costs.index_bytes_per_row) / 1e9,
    fold_s_after_a_year: rows / costs.fold_rows_per_s,
  }
}

/** Hosts whose episodes, heartbeats and handshakes together use what the episodes alone were allowed. */
function hostsOf(costs: Costs, fleet: Fleet, episodes_per_s: number): number {
  const byEpisodes = (episodes_per_s * day) / fleet.episodes_per_host_day
  const small = day / fleet.heartbeat_every_s
  const overhead = (small * costs.cpu_ms_per_heartbeat + fleet.handshakes_per_host_day * costs.cpu_ms_per_handshake) / 1000 / day
  const work =
    (fleet.episodes_per_host_day / day) *
    (costs.cpu_ms_per_episode / 1000 + (fleet.episode_bytes / gib) * costs.main_cpu_s_per_gib)
  return Math.min(byEpisodes, planned / (overhead + work))
}
