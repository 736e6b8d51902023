/** Every driver of the suite, in the order of the matrix. */
import type { Driver } from './driver.ts'
import { goDriver, goOldDriver } from './go/setup.ts'
import { javaDriver } from './java/setup.ts'
import { millraceDriver } from './millrace/setup.ts'
import { nodeDriver, nodeSls20201230Driver } from './node/setup.ts'
import { pythonDriver } from './python/setup.ts'

export const drivers: readonly Driver[] = [
  millraceDriver,
  nodeDriver,
  nodeSls20201230Driver,
  pythonDriver,
  goDriver,
  goOldDriver,
  javaDriver,
]
