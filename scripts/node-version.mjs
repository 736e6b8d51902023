// Imported first by every script, so that an old Node answers with a sentence instead of a stack.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`millrace needs Node 20.19 or newer; this is ${process.versions.node}. Install a newer Node.\n`)
  process.exit(1)
}
