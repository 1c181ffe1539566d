/** The message catalogue: errors that a person can cure, with an identity of their own, so that `journalctl -x` shows the cure under the line. */
import { printable } from './printable.ts'

export interface CatalogueEntry {
  /** Never changed, never used for anything else. */
  readonly id: string
  /** The static text of the log line. */
  readonly message: string
  readonly subject: string
  /** Lines; a command stands by itself, indented. */
  readonly cure: readonly string[]
}

export const catalogue: readonly CatalogueEntry[] = [
  {
    id: '7d1f0c5b2a3e4c66a1b58f0d93e2c401',
    message: 'the receiver refuses; a person must act',
    subject: 'The receiver refuses what this host sends',
    cure: [
      'Nothing is lost: the episodes wait in the outbox. Where the receiver told what mends it, the lines to paste',
      'stand in the journal above this one. What each code means, and how it is cured, stands in OPERATIONS.md.',
      '    cis490-agent doctor',
      '    cis490-agent outbox list',
    ],
  },
  {
    id: '2c9a64e817f04b2d9e6a0b3c58d7f102',
    message: 'the receiver cannot take it',
    subject: 'The receiver has no room, or is in trouble',
    cure: [
      'Nothing is lost: the episodes wait in the outbox and go by themselves when it is over. On the receiver:',
      '    systemctl status cis490-receiver',
      '    journalctl -u cis490-receiver -p warning -n 50 --no-pager',
      '    df -h /var/lib/cis490',
    ],
  },
  {
    id: '91b7e3d04f5a4a7c8d2f6e10c4a9b803',
    message: 'episode is refused for good; a person decides',
    subject: 'An episode was refused for good',
    cure: [
      'It is kept until somebody decides: mend it and let it try again, or give it up.',
      '    cis490-agent outbox list',
      '    sudo systemctl stop cis490-orchestrator',
      '    sudo -u cis490 cis490-agent outbox release ID',
      '    sudo -u cis490 cis490-agent outbox drop ID --reason TEXT',
      '    sudo systemctl start cis490-orchestrator',
    ],
  },
  {
    id: 'c40e8a7295d14f3fb6e1d07a2b83f904',
    message: 'no room to pack: recorded data stays where it is',
    subject: 'There is no room to pack what was recorded',
    cure: [
      'The recording itself is safe as long as its disk has room. Delivered episodes go by themselves once the receiver',
      'can be reached; quota.bytes and ship.keep_shipped bound what is kept.',
      '    cis490-agent doctor --only disk,disk-trend,receiver-authorises',
    ],
  },
  {
    id: '5ae2c19f70b84d0ea3c7f6b1482d9e05',
    message: 'an episode holds what no archive may carry: mend its folder',
    subject: 'An episode cannot be packed as it is',
    cure: [
      'The line names the file and why: a socket, a device, a link that leads out of the folder. Move it away; the',
      'next scan packs the episode.',
      '    cis490-agent why ID',
    ],
  },
  {
    id: 'e8d35b40a6c2471c95f8b2e07d61a306',
    message: 'could not pack an episode',
    subject: 'An episode could not be packed',
    cure: ['It is tried again at each scan. The line says why.', '    cis490-agent doctor --only disk,inodes,episodes-readable'],
  },
  {
    id: '13f7d9c6e2804b5a8e4c0a95b7f23d07',
    message: 'could not read an episode',
    subject: 'This program may not read an episode, or its disk cannot',
    cure: ['The doctor names the folder and the right that is missing.', '    cis490-agent doctor --only episodes-readable'],
  },
  {
    id: 'b6250e9d8a1f4c38b7d3e46f0c95a208',
    message: 'could not scan the episodes',
    subject: 'The folder of the episodes cannot be read',
    cure: [
      'Nothing new is packed until it can; what is packed is shipped.',
      '    cis490-agent doctor --only episodes-readable,disk',
    ],
  },
  {
    id: '48c1f2a7d60e4e9bb5a08d3c7e19f609',
    message: 'kept the old certificate: the new one cannot be used',
    subject: 'Certificate, key or token cannot be read anew',
    cure: [
      'The daemon goes on with those that it has, until they end.',
      '    cis490-agent doctor --only certificate,configured-files,key-mode',
      '    sudo systemctl reload cis490-orchestrator',
    ],
  },
  {
    id: 'd07b3e5c914a4f86a2e6c8f10b9d7510',
    message: 'the certificate of this host cannot be renewed any more',
    subject: 'This host has to join anew',
    cure: [
      'On the receiver, then with the token that it prints on this host:',
      '    cis490-receiver token create --host NAME',
      '    sudo cis490-agent fetch-cert --token TOKEN',
    ],
  },
  {
    id: '6f94a1d8c35b4720be0f5e72a8c4d611',
    message: 'the certificate is about to end, and is not renewed',
    subject: 'The certificate of this host ends soon',
    cure: ['The line says why it could not be renewed.', '    sudo cis490-agent fetch-cert --now', '    cis490-agent doctor'],
  },
  {
    id: '0be58c7f4d2a4913a6f1d9e3b7c08212',
    message: 'no commit set: uploads wait until the forge, git or the disk gives one',
    subject: 'The version gate does not know the history',
    cure: [
      'No upload is taken before it does: the hosts keep theirs. The forge must answer, or version_gate.repo_path name a checkout.',
      '    journalctl -u cis490-receiver -p warning -n 50 --no-pager',
      '    cis490-receiver check-config',
    ],
  },
  {
    id: 'a37e4d91b08c4d65950cf7e62d1b8e13',
    message: 'the rules file cannot be used; the last good rules stay. Mend it',
    subject: 'A list of rules has a mistake',
    cure: ['The line names the file, and what is wrong with it. It is read again as soon as it changes.'],
  },
  {
    id: '59c0a8f3e7b14a2cb8d65e07f2c39a14',
    message: 'the store has damage that a start does not mend; run cis490-receiver fsck',
    subject: 'The store has damage',
    cure: [
      'New episodes are taken all the same. What fsck finds, and what mends it, stands in OPERATIONS.md under Repair.',
      '    sudo -u cis490 cis490-receiver fsck',
    ],
  },
  {
    id: 'f2d6b7a40c9e4e1f87a3c5d08e4b6115',
    message: 'archives without a row were damaged; losses.jsonl names them',
    subject: 'Archives were damaged before anybody was told that they are stored',
    cure: ['Their hosts have them yet, and send them again.', '    sudo -u cis490 cis490-receiver fsck'],
  },
  {
    id: '84ea1c5d7f304b9e93d2a6f7c0b5e816',
    message: 'a receipt is damaged; cis490-receiver fsck tells more',
    subject: 'A receipt in the store is damaged',
    cure: ['    sudo -u cis490 cis490-receiver fsck'],
  },
  {
    id: '3bd98f06c1e74a58ae7c4f2d95b0e717',
    message: 'cannot reload everything; what failed stays as it was',
    subject: 'The receiver could not read its files anew',
    cure: ['The line names the file. Mend it, then:', '    sudo systemctl reload cis490-receiver'],
  },
  {
    id: 'ce714b2f9d8a4630b1f5e0c6a7d38918',
    message: 'the CA has no key: hosts cannot join or renew',
    subject: "The CA's key is gone",
    cure: ['Put ca.key back from its backup; the line names where. What is stored and sent goes on meanwhile.'],
  },
  {
    id: '27f0d5a9e64b4c81bc3e8a17f5d09c19',
    message: 'the CA or the server certificate cannot be renewed; tried again',
    subject: "The receiver's own certificates cannot be renewed",
    cure: ['The line says why.', '    sudo -u cis490 cis490-receiver ca init'],
  },
]

const byMessage = new Map(catalogue.map((entry) => [entry.message, entry]))

/** @param message of a log line */
export function catalogued(message: unknown): CatalogueEntry | undefined {
  return typeof message === 'string' ? byMessage.get(message) : undefined
}

/** What a person wants to read of a line's data. */
const telling = ['code', 'id', 'path', 'detail', 'cause', 'reason'] as const

/** The line as fields of the journal, one a line, as `logger --journald` takes them. @param line as it was logged */
export function journalFields({ id, message }: CatalogueEntry, line: Readonly<Record<string, unknown>>): string {
  const said = telling.flatMap((key) => (typeof line[key] === 'string' ? [`${key}=${line[key]}`] : []))
  const fields = {
    MESSAGE_ID: id,
    PRIORITY: '3',
    SYSLOG_IDENTIFIER: 'cis490',
    MESSAGE: [message, ...said].join('; '),
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${printable(value).slice(0, 2048)}\n`)
    .join('')
}

/** The file that `journalctl --update-catalog` reads. */
export function catalogueFile(): string {
  return catalogue
    .map(({ id, subject, cure }) => `-- ${id}\nSubject: ${subject}\nDefined-By: cis490\n\n${cure.join('\n')}\n`)
    .join('\n')
}
