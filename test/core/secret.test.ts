import { format, inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { OptionsError, Secret } from '../../src/core/index.ts'

const text = 'hunter2-very-secret'
const secret = new Secret(text)
const holder = { user: 'me', deep: [{ secret }], map: new Map([['key', secret]]) }

const ways: Readonly<Record<string, () => string>> = {
  String: () => String(secret),
  'a template': () => `${secret}`,
  concatenation: () => `a${''}`.concat(secret as unknown as string),
  'JSON.stringify': () => JSON.stringify(secret),
  'JSON.stringify of an object that has it': () => JSON.stringify(holder),
  inspect: () => inspect(secret),
  'inspect with everything shown': () => inspect(secret, { showHidden: true, depth: Number.POSITIVE_INFINITY }),
  'inspect of an object that has it': () => inspect(holder, { depth: Number.POSITIVE_INFINITY }),
  'inspect without custom functions': () => inspect(secret, { customInspect: false, showHidden: true }),
  'format with %s': () => format('%s', secret),
  'format with %o': () => format('%o', secret),
  'format with %O': () => format('%O', holder),
  'format with %j': () => format('%j', secret),
  'an error message': () => new OptionsError('OPTIONS_INVALID', { message: `got ${secret}` }).message,
  'an inspected error that has it as its cause': () =>
    inspect(new OptionsError('OPTIONS_INVALID', { message: 'm', cause: secret })),
  'its keys and values': () => JSON.stringify([Object.entries(secret), Object.getOwnPropertyNames(secret)]),
  'a spread copy': () => JSON.stringify({ ...secret }),
  structuredClone: () => inspect(structuredClone(secret)),
}

describe('a secret', () => {
  test.each(Object.keys(ways))('is not printed by %s', (way) => {
    const printed = ways[way]?.() ?? text
    expect(printed).not.toContain(text)
  })

  test('says that something is there', () => {
    expect(`${secret} ${JSON.stringify(secret)} ${inspect(secret)}`).toBe('[redacted] "[redacted]" [redacted]')
  })

  test('is given to whoever asks for it by name', () => {
    expect(secret.reveal()).toBe(text)
  })
})
