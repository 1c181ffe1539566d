/** `receiver.toml`: every key once, with its default. */
import { Duration } from '@cis490/shared/duration.ts'
import { Size } from '@cis490/shared/size.ts'
import { z } from 'zod'
import { VersionGateConfig } from './forge/config.ts'

const ListenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'write an address and a port, like "127.0.0.1:8443"')

export const ReceiverConfig = z.strictObject({
  listen: ListenAddress.default('127.0.0.1:8443'),
  ops_listen: ListenAddress.default('127.0.0.1:9490'),
  state_dir: z.string().min(1).default('/var/lib/cis490'),
  max_episode_size: Size.prefault('64GiB'),
  drain: Duration.prefault('30s'),
  tls: z.strictObject({ cert_file: z.string().min(1), key_file: z.string().min(1) }).optional(),
  auth: z
    .strictObject({
      client_ca_file: z.string().default(''),
      token_files: z.array(z.string()).default([]),
      readers: z.array(z.string()).default([]),
      trusted_proxies: z.array(z.string()).default([]),
      proxy_cert: z.enum(['rfc9440', 'escaped-pem']).default('rfc9440'),
      hosts_file: z.string().default(''),
    })
    .prefault({}),
  version_gate: VersionGateConfig.prefault({}),
  ingest: z.strictObject({ inspect: z.enum(['head', 'full', 'off']).default('head') }).prefault({}),
  limits: z
    .strictObject({
      header_timeout: Duration.prefault('10s'),
      idle_timeout: Duration.prefault('30s'),
      min_rate: Size.prefault('1KiB'),
      drain_bytes: Size.prefault('1GiB'),
      drain_time: Duration.prefault('60s'),
      bodies: z.int().min(1).default(16),
      connections: z.int().min(1).default(2048),
      connections_per_host: z.int().min(1).default(16),
      upload_max_age: Duration.prefault('7d'),
      uploads_per_host: z.int().min(1).default(8),
      bytes_per_day: Size.prefault('0'),
      episodes_per_day: z.int().nonnegative().default(0),
      headroom: Size.prefault('1GiB'),
    })
    .prefault({}),
  update: z
    .strictObject({
      soak: Duration.prefault('1h'),
      share: z.number().gt(0).max(1).default(0.5),
      keep_bundles: z.int().min(1).max(1000).default(5),
    })
    .prefault({}),
  receipts: z.strictObject({ key_file: z.string().default('') }).prefault({}),
  ca: z
    .strictObject({
      cert_file: z.string().min(1),
      key_file: z.string().min(1),
      lifetime: Duration.prefault('30d').refine((ms) => ms >= 1000, 'a certificate lives for 1 s at least'),
      server_names: z.array(z.string()).default([]),
    })
    .optional(),
})
export type ReceiverConfig = z.infer<typeof ReceiverConfig>

export const defaultConfigFile = '/etc/cis490/receiver.toml'
