/** Names of the parts of one sink: staged ones are hidden, committed ones are not. */
export interface PartNames {
  /** `.ip-<generation>-<subtask>-<number>.<extension>`, with the prefix behind `.ip-` unless it is `part`. */
  readonly staged: (subtask: number, number: number) => string
  /** `<prefix>-<generation>-<subtask>-<number>.<extension>` */
  readonly final: (subtask: number, number: number) => string
  /** The generation of a staged name of this prefix, whatever its extension; undefined for any other name. */
  readonly generationOfStaged: (name: string) => number | undefined
  /** Generation, subtask and number of a committed name of this prefix; undefined for any other name. */
  readonly readFinal: (name: string) => PartNumber | undefined
}

export interface PartNumber {
  readonly generation: number
  readonly subtask: number
  readonly number: number
}

export const defaultPrefix = 'part'
export const prefixPattern = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/

const numbers = '-(\\d{1,15})-(\\d{1,15})-(\\d{1,15})\\.'

export const partNames = (options: {
  readonly prefix: string
  readonly generation: number
  readonly extension: string
}): PartNames => {
  const { prefix, generation, extension } = options
  // The prefix is in the staged name as well, so that two sinks in one directory tell their leftovers apart.
  const hidden = prefix === defaultPrefix ? '.ip' : `.ip-${prefix}`
  const stagedPattern = new RegExp(`^${hidden.replace('.', '\\.')}${numbers}`)
  const finalPattern = new RegExp(`^${prefix}${numbers}`)
  const read = (pattern: RegExp, name: string): PartNumber | undefined => {
    const match = pattern.exec(name)
    if (match === null) return undefined
    return { generation: Number(match[1]), subtask: Number(match[2]), number: Number(match[3]) }
  }
  return {
    staged: (subtask, number) => `${hidden}-${generation}-${subtask}-${number}.${extension}`,
    final: (subtask, number) => `${prefix}-${generation}-${subtask}-${number}.${extension}`,
    generationOfStaged: (name) => read(stagedPattern, name)?.generation,
    readFinal: (name) => read(finalPattern, name),
  }
}
