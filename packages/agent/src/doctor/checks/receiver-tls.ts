/** Is it the receiver that answers, and how long is its certificate good? */
import type { Check } from '../check.ts'
import type { Hello } from '../hello.ts'
import { judgeLifetime } from '../lifetime.ts'

export interface ReceiverTls {
  readonly url: string
  readonly hello: () => Promise<Hello>
  /** A fault of the way in words. */
  readonly explain: (error: unknown) => string
}

export function receiverTls({ url, hello, explain }: ReceiverTls): Check {
  const { host } = new URL(url)
  return {
    code: 'receiver-tls',
    title: "The receiver's certificate is trusted",
    severity: 'critical',
    timeout: 20_000,
    depends_on: ['receiver-connects', 'configured-files'],
    remedy: `openssl s_client -connect ${host} -showcerts </dev/null shows what is served; receiver.ca_file must hold its CA`,
    run: async () => {
      if (!url.startsWith('https:')) return { outcome: 'skip', text: 'plain HTTP: nothing proves who answers' }
      const { tls, error } = await hello()
      if (tls === undefined) return { outcome: 'fail', text: explain(error) }
      const { protocol, subject, distrust } = tls
      const data = { protocol, subject, ...(distrust === undefined ? {} : { distrust }) }
      if (distrust !== undefined)
        return { outcome: 'fail', text: explain(Object.assign(new Error(distrust), { code: distrust })), data }
      return { outcome: 'pass', text: `${protocol} with ${subject}`, data }
    },
  }
}

export function servedCertificate({ url, hello, now }: Pick<ReceiverTls, 'url' | 'hello'> & { now: () => number }): Check {
  return {
    code: 'served-certificate',
    title: "The receiver's certificate is good for a while",
    severity: 'warning',
    timeout: 20_000,
    depends_on: ['receiver-tls'],
    remedy: 'renew the certificate on the receiver, then there: sudo systemctl reload cis490-receiver',
    run: async () => {
      if (!url.startsWith('https:')) return { outcome: 'skip', text: 'plain HTTP' }
      const { tls } = await hello()
      if (tls === undefined) return { outcome: 'unknown', text: 'no certificate was served' }
      const finding = judgeLifetime("the receiver's certificate", tls, now(), { subject: tls.subject })
      return { ...finding, perfdata: [`served_cert_days=${finding.data?.['days_left']}`] }
    },
  }
}
