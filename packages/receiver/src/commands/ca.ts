/** `cis490-receiver ca init|show`: the receiver's own CA. */
import { timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'
import { type CaSettings, present, type Tended, tendCa } from '../ca/tend.ts'
import { defaultConfigFile } from '../config.ts'
import { makeStateDir } from '../open-store.ts'
import { actAsOwner } from './as-owner.ts'
import { requireCa } from './token.ts'

interface InitOptions extends CommonOptions {
  readonly successor?: true
}

export function registerCa(program: Command): void {
  const ca = program.command('ca').description("the receiver's own CA")
  addCommand(ca, 'init', 'make the CA and the server certificate, where they are missing or due', defaultConfigFile)
    .option('--successor', 'make a new CA beside the present one: its key was lost or copied')
    .action(init)
  addCommand(ca, 'show', 'the CA certificates: pin, dates, which one signs', defaultConfigFile).action(show)
}

async function init(options: InitOptions): Promise<void> {
  const settings = requireCa(options.config)
  await makeStateDir(settings.stateDir)
  await actAsOwner(settings.stateDir)
  const now = Date.now()
  const tended = await tendCa(settings, now, options.successor)
  const { events } = tended
  if (options.json) printJson({ events, ...picture(settings, tended) })
  else {
    process.stdout.write(`${events.length === 0 ? 'nothing was missing or due' : `done: ${events.join(', ')}`}\n${text(tended)}`)
    if (events.some((event) => event === 'ca-made' || event === 'successor-made'))
      process.stdout.write(`back up ${settings.ca.key_file}: without it hosts cannot renew\n`)
    if (events.length > 0)
      process.stdout.write('a receiver that runs takes it up within a minute; at once: systemctl reload cis490-receiver\n')
  }
}

async function show(options: CommonOptions): Promise<void> {
  const settings = requireCa(options.config)
  const shown = await present(settings, Date.now())
  if (shown.authorities.length === 0)
    throw new UserError(`${settings.ca.cert_file}: there is no CA yet: cis490-receiver ca init`, exit.findings)
  if (options.json) printJson(picture(settings, shown))
  else process.stdout.write(text(shown))
  process.exitCode = shown.issuer ? exit.clean : exit.findings
}

function picture({ ca }: CaSettings, { authorities, issuer, pin }: Omit<Tended, 'events'>): object {
  return {
    cert_file: ca.cert_file,
    pin,
    authorities: authorities.map((one) => ({
      pin: one.pin,
      not_before: timestamp(one.validFrom),
      not_after: timestamp(one.validTo),
      has_key: one.hasKey,
      signs: one === issuer,
    })),
  }
}

function text({ authorities, issuer }: Omit<Tended, 'events'>): string {
  return authorities
    .map((one) => {
      const role = one === issuer ? 'signs' : one.hasKey ? 'is shown, signs later' : 'has no key: vouches for what it signed'
      return `${one.pin}  until ${timestamp(one.validTo).slice(0, 10)}  ${role}\n`
    })
    .join('')
}
