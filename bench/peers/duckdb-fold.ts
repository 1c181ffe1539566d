/** The same question to DuckDB, on all cores. It is told the format and the three columns that count, so that it neither guesses nor reads others. */
import { createRequire } from 'node:module'

const [path = '', folder = ''] = process.argv.slice(2)

interface DuckDb {
  readonly DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<Connection> }> }
}
interface Connection {
  runAndReadAll(sql: string): Promise<{ getRows(): unknown[][] }>
}

const { DuckDBInstance } = createRequire(`${folder}/`)('@duckdb/node-api') as DuckDb
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const rows = `read_json('${path}', format = 'newline_delimited', columns = {host: 'VARCHAR', received_at: 'VARCHAR', commit: 'VARCHAR'})`
const answer = await connection.runAndReadAll(
  `select host, max(received_at), max(received_at) filter (where commit is null) from ${rows} group by host`,
)
process.stdout.write(JSON.stringify({ hosts: answer.getRows().length }))
