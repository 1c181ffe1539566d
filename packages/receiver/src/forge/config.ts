/** `[version_gate]` of receiver.toml. */
import { Duration } from '@cis490/shared/duration.ts'
import { GateMode } from '@cis490/shared/gate-answer.ts'
import { z } from 'zod'

const slug = z.string().regex(/^[A-Za-z0-9._-]*$/, 'letters, digits, dot, underscore and hyphen only')
/** What stands in a command line that people paste has no character that a shell reads. */
const branch = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._/+-]*$/, 'a branch name of letters, digits and . _ / + -')
  .refine((name) => !name.includes('..'), 'a branch name has no ".."')
const checkout = z.string().regex(/^\/[A-Za-z0-9._/+@-]*$/, 'an absolute path of letters, digits and . _ / + @ -')
const unit = z.string().regex(/^[A-Za-z0-9@._:-]+$/, 'the name of a systemd unit')

const forgeUrl = z.string().superRefine((text, context) => {
  if (text === '') return
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) context.addIssue('write an address like "http://127.0.0.1:3000"')
  else if (url.username || url.password || url.search)
    context.addIssue('an address alone; the token belongs in the file that auth_token_file names')
})

export const VersionGateConfig = z
  .strictObject({
    enabled: z.boolean().default(true),
    mode: GateMode.optional(),
    window: z.int().min(1).max(10_000).default(100),
    refresh: Duration.prefault('5s').refine((ms) => ms >= 50 && ms <= 3_600_000, 'between "50ms" and "1h"'),
    forgejo_url: forgeUrl.default(''),
    repo_owner: slug.default(''),
    repo_name: slug.default(''),
    branch: branch.default('main'),
    auth_token_file: z.string().default(''),
    repo_path: z.string().default(''),
    webhook_secret_file: z.string().default(''),
    deny_file: z.string().default(''),
    waivers_file: z.string().default(''),
    directives_file: z.string().default(''),
    remediation_checkout: checkout.default('/opt/cis490'),
    remediation_unit: unit.default('cis490-orchestrator'),
  })
  .superRefine((config, context) => {
    if (config.forgejo_url === '') return
    for (const key of ['repo_owner', 'repo_name'] as const)
      if (config[key] === '') context.addIssue({ code: 'custom', path: [key], message: 'is required where forgejo_url is set' })
  })
  // The emergency switch wins over the mode that is written next to it.
  .transform(({ enabled, ...config }) => ({ ...config, mode: enabled ? (config.mode ?? 'enforce') : ('off' as const) }))
export type VersionGateConfig = z.infer<typeof VersionGateConfig>
