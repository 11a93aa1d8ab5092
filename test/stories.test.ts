import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { suite, test } from 'node:test'
import { play, readStories, writeStory } from './model/story.ts'

/** `UPDATE=1 node test/run.ts stories` rewrites what is expected to what happened; read the difference before you keep it. */
const update = process.env['UPDATE'] === '1'

for (const file of globSync('test/stories/*.txt').toSorted()) {
  const text = readFileSync(file, 'utf8')
  const intro = text.slice(0, text.search(/^# /m))
  const stories = readStories(text)
  suite(basename(file, '.txt'), () => {
    for (const story of stories) {
      test(story.title, () => {
        const happened = play(story)
        if (!update)
          assert.equal(
            writeStory(story, happened),
            writeStory(
              story,
              story.steps.map(step => step.expected),
            ),
          )
      })
    }
  })
  if (update) {
    const written = stories.map(story => writeStory(story, play(story)))
    writeFileSync(file, intro + written.join('\n'))
  }
}
