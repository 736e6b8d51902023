/** The options a program takes, by name, `--` included. */
export interface KnownOptions {
  readonly flags: readonly string[]
  readonly withValue: readonly string[]
}

/** A command line, sorted. A flag has an empty value. */
export interface Scanned {
  readonly options: ReadonlyMap<string, string>
  readonly paths: readonly string[]
  /** What cannot be used; the caller may add to it. */
  readonly problems: string[]
}

/** Sorts arguments into options and paths; `--name=value` and `--name value` are the same, and `--` ends the options. */
export const scan = (given: readonly string[], known: KnownOptions): Scanned => {
  const options = new Map<string, string>()
  const paths: string[] = []
  const problems: string[] = []
  const rest = [...given]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') paths.push(...rest.splice(0))
    else if (!argument.startsWith('-') || argument === '-') paths.push(argument)
    else {
      const [name = '', inline] = argument === '-h' ? ['--help'] : argument.split(/=(.*)/s)
      const value = known.withValue.includes(name) ? (inline ?? rest.shift()) : inline
      if (known.flags.includes(name) && inline === undefined) options.set(name, '')
      else if (known.withValue.includes(name) && value !== undefined && value !== '') options.set(name, value)
      else if (known.flags.includes(name)) problems.push(`${name} takes no value`)
      else if (known.withValue.includes(name)) problems.push(`${name} needs a value`)
      else problems.push(`unknown option ${name}${suggestion(name, known)}`)
    }
  }
  return { options, paths, problems }
}

const suggestion = (name: string, { flags, withValue }: KnownOptions): string => {
  const [nearest] = [...flags, ...withValue]
    .map((option) => ({ option, distance: editDistance(name, option) }))
    .sort((a, b) => a.distance - b.distance)
  return nearest !== undefined && nearest.distance <= 3 ? `, did you mean ${nearest.option}?` : ''
}

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
