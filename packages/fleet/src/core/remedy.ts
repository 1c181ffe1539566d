/** The cure that goes with a symptom: commands, each on a line of its own, for the machine that the first line names. */
import { gateRemediation } from '@cis490/shared/remediation.ts'

const onHost = (host: string, ...commands: string[]) => [`# on ${host}`, ...commands].join('\n')

export function silentRemedy(host: string): string {
  return onHost(
    host,
    'systemctl status cis490-orchestrator',
    'sudo cis490-agent doctor',
    'sudo cis490-agent outbox list',
    'journalctl -u cis490-orchestrator -n 100 --no-pager',
  )
}

/** Old or unstamped code: bring the checkout forward. */
export function gateRemedy(host: string): string {
  return onHost(host, gateRemediation())
}

const outbox = (host: string) => onHost(host, 'sudo cis490-agent outbox list', 'sudo cis490-agent doctor')
const certificate = (host: string) => onHost(host, 'sudo cis490-agent fetch-cert', 'sudo systemctl restart cis490-orchestrator')
const configuration = (host: string, look: string) =>
  onHost(host, `# ${look}`, 'sudo cis490-agent check-config', 'sudo systemctl restart cis490-orchestrator')

/** The cure of a host whose PUTs are all refused with this code. */
export function refusedRemedy(code: string, host: string): string {
  if (code.startsWith('commit-')) return gateRemedy(host)
  if (code.startsWith('certificate-')) return certificate(host)
  if (code === 'wrong-host')
    return configuration(host, '[host] name must be the name in the certificate /etc/cis490/host.crt, or fetch a new certificate')
  if (code === 'host-missing') return configuration(host, 'set [host] name, or cert_file and key_file in [receiver]')
  if (code === 'unauthorized') return configuration(host, 'token_file in [receiver] must hold a token that the receiver knows')
  if (code === 'not-found' || code === 'method-not-allowed' || code === 'other')
    return configuration(host, 'url in [receiver] must lead to the receiver, not to another server or a wrong path')
  return outbox(host)
}

const receiverSide = ['# on the receiver', 'systemctl status cis490-receiver', 'curl -s http://127.0.0.1:9490/readyz']

/** The cure of a fault that many hosts share: it lies where they meet. */
export function fleetRemedy(look: 'receiver' | 'gate' | 'certificates'): string {
  if (look === 'gate')
    return [...receiverSide, 'curl -s http://127.0.0.1:9490/v1/gate', 'journalctl -u cis490-receiver -n 100 --no-pager'].join(
      '\n',
    )
  if (look === 'certificates')
    return [...receiverSide, 'timedatectl', 'openssl x509 -noout -subject -enddate -in /etc/cis490/ca.crt'].join('\n')
  return [...receiverSide, 'journalctl -u cis490-receiver -n 100 --no-pager', 'ss -tn state established'].join('\n')
}
