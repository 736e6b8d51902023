import { type Token, tokensOf } from '../tidy/source-text.ts'

const declarations = new Set(['const', 'let', 'function', 'class', 'interface', 'type'])

const namesInBraces = (tokens: readonly Token[], allTypes: boolean): string[] => {
  const names: string[] = []
  let isType = allTypes
  let name: string | undefined
  for (const token of tokens) {
    if (token.text === ',' || token.text === '}') {
      if (name !== undefined) names.push(isType ? `type ${name}` : name)
      name = undefined
      isType = allTypes
      if (token.text === '}') break
    } else if (token.text === 'type') isType = true
    else if (token.text !== 'as') name = token.text
  }
  return names
}

/** What a file exports, as written in it: `name` for values, `type Name` for types, sorted. */
export const exportedNames = (text: string): string[] => {
  const tokens = tokensOf(text)
  const names = tokens.flatMap((token, index) => {
    if (token.kind !== 'word' || token.text !== 'export') return []
    const rest = tokens.slice(index + 1, index + 2_000)
    if (rest[0]?.text === '{') return namesInBraces(rest.slice(1), false)
    if (rest[0]?.text === 'type' && rest[1]?.text === '{') return namesInBraces(rest.slice(2), true)
    const at = rest.findIndex(({ text: word }) => declarations.has(word))
    const isType = ['interface', 'type'].includes(rest[at]?.text ?? '')
    const name = rest[at + 1]?.text ?? '?'
    return [isType ? `type ${name}` : name]
  })
  return [...new Set(names)].sort()
}
