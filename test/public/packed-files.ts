import { spawnSync } from 'node:child_process'

/** The npm that runs the tests, else the one in PATH, as command and first arguments. */
const npm = (): [string, ...string[]] => {
  const running = process.env['npm_execpath']
  const isNpm = running !== undefined && /npm-cli\.[cm]?js$/.test(running)
  return isNpm ? [process.execPath, running] : ['npm']
}

/** Runs npm in a folder and gives what it printed; throws what it complained about. */
export const runNpm = (folder: string, ...args: string[]): string => {
  const [command, ...first] = npm()
  const { status, stdout, stderr } = spawnSync(command, [...first, ...args], { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

/** Paths of the files that `npm publish` would send, relative to the folder, sorted. */
export const packedFiles = (folder: string): string[] => {
  const output = JSON.parse(runNpm(folder, 'pack', '--dry-run', '--json')) as unknown
  const [pack] = (Array.isArray(output) ? output : Object.values(output as object)) as { files: { path: string }[] }[]
  return (pack?.files ?? []).map(({ path }) => path).sort()
}
