import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { codeWords, headingLines, read, repositoryFiles, root, tableRows } from './documents.ts'

const files = repositoryFiles()
const pages = files.filter((file) => file.endsWith('.md'))

/** Targets of inline links outside of code. */
function links(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string)
}

/** The anchor that a forge makes of a heading. */
function anchors(text: string): string[] {
  const lines = text.split('\n')
  const titles = headingLines(lines).map((k) => (lines[k] as string).replace(/^#+ /, ''))
  return titles.map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test('there are documents to check', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'PROTOCOL.md', 'OPERATIONS.md', 'docs/adr/README.md']))
})

test.each(pages)('%s: local links lead somewhere', (page) => {
  const broken = links(read(page)).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [path, anchor] = link.split('#') as [string, string | undefined]
    const target = path === '' ? page : normalize(join(dirname(page), path))
    if (!existsSync(join(root, target))) return true
    return anchor !== undefined && !anchors(read(target)).includes(anchor)
  })
  expect(broken).toEqual([])
})

test.each(pages)('%s: files of the repository that it names exist', (page) => {
  const named = codeWords(read(page)).filter((word) =>
    /^(packages|test|etc|docs|scripts|bench|examples|changelog)\/[\w./-]+\.(ts|md|toml|sh|service|timer)$/.test(word),
  )
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test('each decision is in the list of decisions', () => {
  const listed = links(read('docs/adr/README.md')).toSorted()
  expect(listed).toEqual(
    pages
      .filter((page) => /^docs\/adr\/\d/.test(page))
      .map((page) => page.slice('docs/adr/'.length))
      .toSorted(),
  )
})

test('each word of the glossary names where it lives: a file, and a name that occurs in it', () => {
  const rows = tableRows(read('GLOSSARY.md'), 'word')
  expect(rows.length).toBeGreaterThan(20)
  for (const [word, , where] of rows) {
    const [path, ...names] = codeWords(where ?? '')
    expect(path && existsSync(join(root, path)), `${word}: ${path}`).toBe(true)
    for (const name of names) expect(read(path as string), `${word} in ${path}`).toMatch(new RegExp(`\\b${name}\\b`))
  }
})
