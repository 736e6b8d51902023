/** The driver of the official Python SDK and its consumer library. */
import { join } from 'node:path'
import { blanksOf } from '../cases.ts'
import type { Driver } from '../driver.ts'

const python = (home: string): string => join(home, 'venv', 'bin', 'python')

export const pythonDriver: Driver = {
  name: 'python',
  title: 'aliyun-log-python-sdk 0.9.52',
  folder: 'python',
  manifests: ['requirements.txt'],
  tools: [{ command: 'python3', args: ['--version'], install: 'Python 3.11 or newer with its venv module' }],
  setUp: async (place) => {
    await place.run({ command: 'python3', args: ['-m', 'venv', join(place.home, 'venv')] })
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    await place.run({
      command: python(place.home),
      args: [...install, '-r', join(place.source, 'requirements.txt')],
    })
  },
  start: (place) => ({
    command: python(place.home),
    args: [join(place.source, 'main.py')],
    env: { PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' },
  }),
  blanks: {
    'host-with-port': 'its Host never has a port (§1.2)',
    ...blanksOf('put-direct-', 'Python puts to shards/lb and shards/route (§4.1)'),
    'put-lb-deflate': 'Python compresses with lz4 or zstd (§3.3)',
    'put-route-deflate': 'Python compresses with lz4 or zstd (§3.3)',
    ...blanksOf('put-json-', 'Python puts protobuf (§4.7)'),
    ...blanksOf('put-batch-', 'batches are of the Java SDK (§4.6)'),
    'put-producer': 'Python has no producer library (§10.1)',
    'put-producer-hash': 'Python has no producer library (§10.1)',
    'split-count': 'Python splits at a key, given or empty (§6.3)',
  },
}
