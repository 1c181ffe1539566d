/** What Prometheus reads on the ops listener. */

import { build } from '@cis490/shared/node/build.ts'
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client'

export class Metrics {
  readonly registry = new Registry()
  readonly episodesStored = new Counter({
    name: 'cis490_episodes_stored_total',
    help: 'Episodes published, new ones only.',
    registers: [this.registry],
  })
  readonly bytesStored = new Counter({
    name: 'cis490_episode_bytes_stored_total',
    help: 'Bytes of published archives.',
    registers: [this.registry],
  })
  readonly duplicates = new Counter({
    name: 'cis490_episode_replays_total',
    help: 'Uploads of an episode that was stored already with the same bytes.',
    registers: [this.registry],
  })
  readonly refused = new Counter({
    name: 'cis490_uploads_refused_total',
    help: 'Refused uploads by code.',
    labelNames: ['code'] as const,
    registers: [this.registry],
  })
  readonly uploadSeconds = new Histogram({
    name: 'cis490_upload_duration_seconds',
    help: 'From the request to the durable row, accepted uploads.',
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600],
    registers: [this.registry],
  })
  readonly uploadsCreated = new Counter({
    name: 'cis490_resumable_uploads_created_total',
    help: 'Upload resources made.',
    registers: [this.registry],
  })
  readonly bytesAppended = new Counter({
    name: 'cis490_resumable_bytes_appended_total',
    help: 'Bytes that became part of a resumable upload.',
    registers: [this.registry],
  })
  readonly uploadsExpired = new Counter({
    name: 'cis490_resumable_uploads_expired_total',
    help: 'Uploads, and answers of ended ones, that were removed at their age.',
    registers: [this.registry],
  })
  readonly reports = new Counter({
    name: 'cis490_host_reports_total',
    help: 'Doctor reports stored.',
    registers: [this.registry],
  })
  readonly handshakes = new Counter({
    name: 'cis490_tls_handshakes_total',
    help: 'TLS handshakes, by whether they went on with an earlier session.',
    labelNames: ['resumed'] as const,
    registers: [this.registry],
  })
  readonly connectionsRefused = new Counter({
    name: 'cis490_connections_refused_total',
    help: 'Connections beyond the limit: told to come later, or closed unheard.',
    labelNames: ['how'] as const,
    registers: [this.registry],
  })
  readonly heartbeats = new Counter({
    name: 'cis490_heartbeats_total',
    help: 'Heartbeats heard.',
    registers: [this.registry],
  })
  readonly certificatesIssued = new Counter({
    name: 'cis490_certificates_issued_total',
    help: 'Certificates given to hosts, by token or by renewal.',
    labelNames: ['by'] as const,
    registers: [this.registry],
  })
  readonly certificatesRefused = new Counter({
    name: 'cis490_certificates_refused_total',
    help: 'Hosts that got no certificate, by reason.',
    labelNames: ['reason'] as const,
    registers: [this.registry],
  })

  /** @param live read at each scrape */
  constructor(live: {
    connections(): number
    bodies(): number
    openUploads(): number
    reservedBytes(): number
    gateAgeS(): number | undefined
    gateSize(): number
    freeBytes(): number
    ready(): boolean
    /** Epoch milliseconds. */
    certificateEnd(): number | undefined
  }) {
    const registers = [this.registry]
    const gauge = (name: string, help: string, read: () => number | undefined | Promise<number>) =>
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          const value = await read()
          if (value !== undefined) this.set(value)
        },
      })
    gauge('cis490_connections_open', 'Connections of hosts now.', live.connections)
    gauge('cis490_uploads_running', 'Bodies being received now.', live.bodies)
    gauge('cis490_resumable_uploads_open', 'Resumable uploads that have not ended.', live.openUploads)
    gauge('cis490_resumable_bytes_reserved', 'Bytes that open uploads may still bring.', live.reservedBytes)
    gauge('cis490_gate_age_seconds', 'Age of the commit set; absent without one.', live.gateAgeS)
    gauge('cis490_gate_commits', 'Commits in the window.', live.gateSize)
    gauge('cis490_store_free_bytes', 'Free bytes where the store lies.', live.freeBytes)
    gauge(
      'cis490_server_certificate_end_seconds',
      'When the certificate that is served ends, Unix time; absent without one.',
      () => {
        const end = live.certificateEnd()
        return end === undefined ? undefined : Math.floor(end / 1000)
      },
    )
    gauge('cis490_ready', '1 when the receiver takes uploads.', () => Number(live.ready()))
    new Gauge({ name: 'cis490_build_info', help: 'What runs here.', labelNames: ['version', 'commit'] as const, registers }).set(
      { version: build.version, commit: build.commit ?? 'unknown' },
      1,
    )
  }
}
