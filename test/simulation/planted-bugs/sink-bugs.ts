import type { PlantedBug } from './planted-bug.ts'

const part = 'src/connectors/files/part.ts'
const sinkCommitter = 'src/connectors/files/file-sink-committer.ts'

/** The file sink. */
export const sinkBugs: readonly PlantedBug[] = [
  {
    id: 'staged-not-synced',
    file: part,
    search: '      await claimed.file.sync()\n    } catch',
    replacement: '      void claimed.file.size\n    } catch',
    breaks: 'a power loss takes output that a checkpoint names',
  },
  {
    id: 'staged-names-not-synced',
    file: 'src/connectors/files/file-sink-writer.ts',
    search: '    await this.#tools.directories.sync()\n',
    replacement: '',
    breaks: 'a power loss takes the name of output that a checkpoint names',
  },
  {
    id: 'commit-not-synced',
    file: sinkCommitter,
    search: '      await this.#fs.syncDirectory(directory)\n',
    replacement: '',
    breaks: 'a confirmed commit is taken back by a power loss',
  },
  {
    id: 'commit-replaces',
    file: sinkCommitter,
    search: "      if (errnoOf(error) === 'ENOENT') return await this.#checkCommitted(receipt)\n",
    replacement: '',
    breaks: 'a commit that somebody else has finished kills the job',
  },
  {
    id: 'committed-means-lost',
    file: sinkCommitter,
    search: '    if (found === undefined) return await this.#checkCommitted(receipt)\n',
    replacement: '    if (found === undefined) throw lost(receipt, final)\n',
    breaks: 'a commit that was done before the crash is taken for a loss',
  },
  {
    id: 'torn-append-stays',
    file: part,
    search: '      if (file.size !== this.#written) await file.truncate(this.#written)\n',
    replacement: '',
    breaks: 'what a full disk took in part stays in front of its repetition',
    scenarios: ['disk-full', 'sharded'],
  },
  {
    id: 'full-disk-drops',
    file: 'src/connectors/files/file-sink-room.ts',
    search: '          if (!isFull(error)) throw storageError(error, path)\n',
    replacement:
      '          if (!isFull(error)) throw storageError(error, path)\n          if (failures > 2) return undefined as R\n',
    breaks: 'what a full disk does not take is dropped',
    scenarios: ['disk-full', 'sharded'],
  },
]
