import { errorTable, type Remedy } from '../../src/core/error-table.ts'
import { metricTable } from '../../src/core/metrics.ts'

/** The pages of `docs/` that are made from tables of the code, by path. `npm run docs` writes them. */
export const generatedPages = (): Readonly<Record<string, string>> => ({
  'docs/errors.md': errorsPage(),
  'docs/metrics.md': metricsPage(),
})

const note = (source: string): string => `<!-- Made from ${source} by \`npm run docs\`; edit the table there. -->`

const remedies: Readonly<Record<Remedy, string>> = {
  'fix-program': 'thrown before anything starts, or for input that no retry can mend; never retried',
  retry: 'the call is repeated with back-off; when the attempts run out, the job restarts',
  restart: "the job goes back to its last completed checkpoint, within the restart strategy's budget",
  stop: 'the job ends; only a person can decide what happens next',
}

const errorsPage = (): string => {
  const rows = Object.entries(errorTable)
  return `${[
    '# Errors',
    note('src/core/error-table.ts'),
    'Every error has a `code`, a `remedy` and an `exitCode`. Match on the code: it is stable. The remedies are:',
    Object.entries(remedies)
      .map(([remedy, meaning]) => `- \`${remedy}\`: ${meaning}.`)
      .join('\n'),
    ...rows.map(([code, row]) =>
      [
        `## ${code}`,
        row.summary,
        `- class: \`${row.class}\`\n- remedy: \`${row.remedy}\`\n- exit code: ${row.exitCode}\n- fix: ${row.fix}`,
      ].join('\n\n'),
    ),
  ].join('\n\n')}\n`
}

const metricsPage = (): string => {
  const rows = Object.entries(metricTable).map(
    ([name, { kind, unit, help }]) => `| \`${name}\` | ${kind} | ${unit} | ${help} |`,
  )
  return `${[
    '# Metrics',
    note('src/core/metrics.ts'),
    "Meanings follow Flink's FLIP-33, names follow Prometheus. A value that nobody knows is absent, never zero.",
    ['| name | kind | unit | meaning |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n')}\n`
}
