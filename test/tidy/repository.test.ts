import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './source-tree.ts'

const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  engines: { node: string }
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

describe('the lockfile', () => {
  test('holds no download addresses, so that any registry can serve it', () => {
    expect(lockfile.match(/"resolved"/g) ?? []).toEqual([])
  })

  test('has every optional package it names, so that npm 11 accepts it', () => {
    const { packages } = JSON.parse(lockfile) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    )
    expect(missing).toEqual([])
  })
})

describe('package.json', () => {
  test('pins development tools to exact versions', () => {
    const loose = Object.entries(manifest.devDependencies).filter(([, version]) => !/^\d/.test(version))
    expect(loose.map(([name]) => name)).toEqual(['@types/node'])
  })

  test('promises the Node that the scripts ask for', () => {
    expect(manifest.engines.node).toBe('>=20.19')
  })
})
