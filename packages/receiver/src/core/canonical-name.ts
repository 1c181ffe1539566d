/** Which episode an index row is about, without reading all of it: a start looks at every row there is. Pure. */

/** A whole row as this receiver writes it, every member of it known and of the right type. `\d` and `[ -~]` keep it ASCII; no member may be escaped. */
const row = new RegExp(
  '^\\{"id":"([A-Za-z0-9][A-Za-z0-9._-]{0,127})","host":"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)","sha256":"[0-9a-f]{64}","bytes":(?:0|[1-9]\\d{0,14})' +
    '(?:,"(?:commit|received_at|verdict|schema_version|cert_fingerprint|agent_version)":"[ !#-\\[\\]-~]*"|,"gate_position":[1-9]\\d{0,9}|,"(?:dirty|backfilled)":(?:true|false))*' +
    ',"seq":[1-9]\\d{0,14},"prev":"[0-9a-f]{64}"\\}$',
)

/** @returns `host/id`; undefined for a row that has to be read with care: another form, damage, an older receiver's */
export function canonicalName(line: string): string | undefined {
  const found = row.exec(line)
  if (!found) return undefined
  const [, id = '', host = ''] = found
  return id.includes('..') || host.includes('..') ? undefined : `${host}/${id}`
}
