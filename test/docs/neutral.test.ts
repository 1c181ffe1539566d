import { expect, test } from 'vitest'
import { read, repositoryFiles, root } from './documents.ts'

/** The product runs on any machine: nothing in it may know the one on which it was written. */
const texts = repositoryFiles().filter((file) => file !== 'LICENSE' && !/\.(png|zst|gz|ico|woff2)$/.test(file))

test.each(['home', 'root', 'work', 'Users'])('no file names a path under a /%s of somebody', (folder) => {
  const path = new RegExp(`(?<![\\w.)\\]}>-])/${folder}/\\w`)
  expect(texts.filter((file) => path.test(read(file)))).toEqual([])
})

test.skipIf(root === '/opt/cis490')('no file names the path of this checkout', () => {
  expect(texts.filter((file) => read(file).includes(root))).toEqual([])
})

test('the lock file names no registry: npm uses the one that it is configured for', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved": "https?:/)
})

// A name without a dot is nobody's: an example.
test('addresses in the repository are examples, documentation or standards', () => {
  const known =
    /^([\w-]+|127\.0\.0\.1|0\.0\.0\.0|\[.*|[\w.-]+\.(lab|invalid|example|test)|biomejs\.dev|json\.schemastore\.org|keepachangelog\.com|iana\.org|datatracker\.ietf\.org|semver\.org|www\.apache\.org|www\.rfc-editor\.org|www\.w3\.org|nodejs\.org)$/
  const unknown = texts
    .filter((file) => file !== 'package-lock.json')
    .flatMap((file) => [...read(file).matchAll(/https?:\/\/([^\s$/:'"`)\\>,]+)/g)].map((match) => `${file}: ${match[1]}`))
    .filter((hit) => !known.test(hit.slice(hit.indexOf(': ') + 2)))
  expect(unknown).toEqual([])
})
