/** The way of a host with the operator's commands, openssl and curl alone: nothing of the agent is needed. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { OwnCa } from '../support/own-ca.ts'
import { fingerprintOf } from '../support/pki.ts'
import { runToEnd } from '../support/program.ts'

test('openssl and curl join, renew and ask; the commands make, show and list', async () => {
  await using own = await OwnCa.start()
  const at = (name: string) => join(own.dir, name)
  const receiver = (...args: string[]) => runToEnd('receiver', [...args, '--config', own.configFile])
  const unmade = at('unmade.toml')
  writeFileSync(unmade, readFileSync(own.configFile, 'utf8').replaceAll(own.store, at('unmade')))
  const [created, shown, wrong, checked] = await Promise.all([
    receiver('token', 'create', '--host', 'Lab-07'),
    receiver('ca', 'show', '--json'),
    receiver('token', 'create', '--host', 'lab_07'),
    runToEnd('receiver', ['check-config', '--config', unmade]),
  ])
  const token = created.stdout.trim()
  expect([created.code, token]).toEqual([0, expect.stringMatching(/^[0-9a-f]{8}\.[\w-]{43}\.[0-9a-f]{64}$/)])
  expect(JSON.parse(shown.stdout)).toMatchObject({ pin: token.slice(-64), authorities: [{ pin: token.slice(-64), signs: true }] })
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/^cis490-receiver: --host lab_07: a host name is letters/),
  ])
  // Before the first start there is nothing to read yet; that is no fault of the configuration.
  expect([checked.code, checked.stderr]).toEqual([0, ''])
  // Never the synchronous form: the receiver is in this process.
  const sh = async (line: string) =>
    (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', line], { cwd: own.dir, timeout: 20_000 })).stdout
  const est = `${own.url}/.well-known/est`
  // The first contact: what was received unseen is the CA only if its hash is the token's pin.
  await sh(`curl -sS --fail --insecure ${est}/cacerts | openssl base64 -d | openssl pkcs7 -inform DER -print_certs -out ca.crt`)
  expect(fingerprintOf(readFileSync(at('ca.crt'), 'utf8'))).toBe(token.slice(-64))
  const request = (name: string) =>
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout ${name}.key -subj /CN=lab-07 -outform DER 2>/dev/null | openssl base64 -out ${name}.p10`
  const post = (name: string, path: string, who: string) =>
    `curl -sS --fail --cacert ca.crt ${who} -H 'Content-Type: application/pkcs10' --data-binary @${name}.p10 ${est}/${path} | openssl base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.crt`
  writeFileSync(at('netrc'), `user = "lab-07:${token}"\n`)
  await sh(`${request('first')}; ${post('first', 'simpleenroll', '--config netrc')}`)
  await sh(`${request('next')}; ${post('next', 'simplereenroll', '--cert first.crt --key first.key')}`)
  expect(await sh('openssl verify -x509_strict -purpose sslclient -CAfile ca.crt first.crt next.crt')).toBe(
    'first.crt: OK\nnext.crt: OK\n',
  )
  const answer = await sh(`curl -sS --cacert ca.crt --cert next.crt --key next.key ${own.url}/v1/gate`)
  expect(JSON.parse(answer)).toMatchObject({ mode: 'off' })

  const listed = await receiver('token', 'list')
  expect(listed.stdout).toMatch(new RegExp(`^${token.slice(0, 8)}  used     .*  lab-07  by `))
  expect(listed.stdout).not.toContain(token.split('.')[1] as string)
})
