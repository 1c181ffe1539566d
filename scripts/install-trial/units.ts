/** What only a real systemd shows: journal, credentials, a broken timer, a bad configuration, plugins of the distribution in the unit of the report, an update by its unit. */
import type { Ran } from './machine.ts'

type Side = 'host' | 'receiver'

export interface Units {
  on(side: Side, command: string): Promise<Ran>
  hold(what: string, held: boolean): void
}

const asAgent = 'runuser -u cis490 -- cis490-agent'
const config = '/etc/cis490/lab-host.toml'

/** Each leaves the machines as it found them. */
export async function tryUnits(units: Units): Promise<void> {
  await refusal(units)
  await brokenTimer(units)
  await badConfiguration(units)
  await plugins(units)
  await credential(units)
  await update(units)
}

/** An episode of a commit that nobody knows: the journal of the unit has the lines to paste, and the catalogue the cure. */
async function refusal({ on, hold }: Units): Promise<void> {
  const commit = 'f'.repeat(40)
  const meta = `{"schema_version": "1", "episode_id": "run-0002", "code_version": {"commit": "${commit}"}}`
  const record = `cd /var/lib/cis490/episodes && mkdir run-0002 && echo '${meta}' > run-0002/meta.json`
  const told = 'journalctl -u cis490-orchestrator -p err -x --no-pager'
  const { lines } = await on(
    'host',
    `runuser -u cis490 -- bash -c ${quoted(record)}
    for k in $(seq 600); do ${told} | grep -q 'Defined-By: cis490' && break; sleep 0.1; done; ${told} | tail -n 15`,
  )
  const text = lines.join('\n')
  hold('the journal of the unit has what mends a refusal', /: sudo systemctl restart cis490-orchestrator$/m.test(text))
  hold(
    'the catalogue has the cure, for a unit without rights too',
    text.includes('Subject: The receiver refuses what this host sends'),
  )
  await on(
    'host',
    `systemctl stop cis490-orchestrator; ${asAgent} outbox drop run-0002 --reason 'a trial'; rm -r /var/lib/cis490/episodes/run-0002
    systemctl start cis490-orchestrator`,
  )
}

/** The remedy is what is run. */
async function brokenTimer({ on, hold }: Units): Promise<void> {
  const doctor = `${asAgent} doctor --only timers`
  const { lines } = await on('host', `systemctl disable --now cis490-cert-fetch.timer; ${doctor}`)
  const remedy = /^ +-> (.+)$/m.exec(lines.join('\n'))?.[1]
  hold(
    'a timer that was stopped is found',
    lines.some((line) => /^warn .*cis490-cert-fetch.timer is not active/.test(line)),
  )
  const mended = await on('host', `${remedy ?? 'false'} && ${doctor}`)
  hold('what the doctor says mends it', mended.status === 0 && mended.lines.some((line) => line.startsWith('pass ')))
}

async function badConfiguration({ on, hold }: Units): Promise<void> {
  const show = 'systemctl show cis490-orchestrator -p ExecMainStatus,NRestarts,ActiveState --value | xargs'
  const { lines } = await on(
    'host',
    `cp -a ${config} /run/kept.toml; echo 'nonsense = 1' >> ${config}; systemctl restart cis490-orchestrator; sleep 7
    ${show}; journalctl -u cis490-orchestrator -p err -o cat --no-pager -n 4; cp -a /run/kept.toml ${config}; rm /run/kept.toml
    systemctl start cis490-orchestrator`,
  )
  hold(
    'a bad configuration is not started again and again',
    lines.some((line) => /^(?=.*\b78\b)(?=.*\bfailed\b)(?=.*\b0\b)/.test(line)),
  )
  hold(
    'why is an error in the journal',
    lines.some((line) => line.includes('unknown key') && line.includes('nonsense')),
  )
}

/** Unchanged, in the unit that reports. */
async function plugins({ on, hold }: Units): Promise<void> {
  const folder = '/usr/lib/nagios/plugins'
  const checks = { load: 'check_load -w 99,99,99 -c 99,99,99', dummy: 'check_dummy 2 broken', users: 'check_users -w 90 -c 99' }
  const write = Object.entries(checks).map(
    ([name, line]) =>
      `printf '#!/bin/sh\\nexec %s\\n' '${folder}/${line}' > /etc/cis490/doctor.d/${name}; chmod 755 /etc/cis490/doctor.d/${name}`,
  )
  const { lines } = await on(
    'host',
    `DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends monitoring-plugins-basic > /dev/null
    ${write.join('\n')}
    systemctl start cis490-doctor-check; cat /var/lib/cis490/agent/reports/*.json | tail -n 1 | tr '{' '\\n' | grep '"code":"site/'
    rm /etc/cis490/doctor.d/*; DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq monitoring-plugins-basic > /dev/null`,
  )
  const found = lines.flatMap((line) => /"code":"(site\/\w+)".*"outcome":"(\w+)"/.exec(line)?.slice(1).join(' ') ?? [])
  hold(
    "the distribution's plugins work in the report's unit",
    found.join(', ') === 'site/dummy fail, site/load pass, site/users pass',
  )
}

/** A key that only root can read is handed to the receiver, and to nobody else. */
async function credential({ on, hold }: Units): Promise<void> {
  const path = '/run/credentials/cis490-receiver.service/cis490.receipt-key'
  const toml = '/etc/cis490/receiver.toml'
  const { lines } = await on(
    'receiver',
    `install -d -m 700 /etc/credstore; openssl genpkey -algorithm ed25519 -out /etc/credstore/cis490.receipt-key
    chmod 600 /etc/credstore/cis490.receipt-key; cp -a ${toml} /run/kept.toml; printf '\\n[receipts]\\nkey_file = "%s"\\n' '${path}' >> ${toml}
    systemctl restart cis490-receiver && echo restarted; runuser -u cis490 -- cis490-receiver receipt-key show
    systemd-run -q --pipe --wait -p User=cis490 -p PrivateMounts=yes -p LoadCredential=other:/etc/hostname cat ${path} 2>&1 | sed 's/^/other unit: /'
    cp -a /run/kept.toml ${toml}; rm /run/kept.toml /etc/credstore/cis490.receipt-key; systemctl restart cis490-receiver`,
  )
  const text = lines.join('\n')
  hold('a key of root is a credential of the receiver', text.includes('restarted') && text.includes('BEGIN PUBLIC KEY'))
  hold('no other unit sees it', text.includes('other unit: ') && !text.includes('other unit: -----BEGIN'))
}

/** The same commit on both machines; the clone of the operator is the forge. */
const newCommit = `chown -hR cis490: /srv/cis490; runuser -u cis490 -- env GIT_AUTHOR_DATE=@1800000000Z GIT_COMMITTER_DATE=@1800000000Z \\
  git -C /srv/cis490 -c user.name=trial -c user.email=trial@lab commit -q --allow-empty -m 'the next version'`

/** By the updater's unit, with the rights that it has there. */
async function update({ on, hold }: Units): Promise<void> {
  const checkout = 'runuser -u cis490 -- git -C /opt/cis490'
  const forge = `${newCommit}; ${checkout} remote set-url origin /srv/cis490`
  await on('receiver', `${forge}; ${checkout} pull -q --ff-only origin main`)
  const { lines } = await on(
    'host',
    `${forge}
    printf 'registry=%s\\ncafile=%s\\n' "$npm_config_registry" "$NODE_EXTRA_CA_CERTS" > /var/lib/cis490/.npmrc
    systemctl start cis490-autoupdate; journalctl -u cis490-autoupdate -o cat --no-pager -n 5; rm /var/lib/cis490/.npmrc
    ${checkout} log --oneline -n 1; ${asAgent} doctor --only daemon,tree,last-update`,
  )
  hold(
    'the unit of the updater brings the next version',
    lines.some((line) => /^[0-9a-f]+ the next version$/.test(line)),
  )
  hold('the daemon runs it', lines.filter((line) => line.startsWith('pass ')).length === 3)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
