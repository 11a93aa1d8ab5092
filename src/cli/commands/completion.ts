import { EXIT } from '../exit.ts'
import type { Environment } from '../settings.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

/** `kontroler completion SHELL`: a script for the shell, which asks the program itself what may follow. */
export function completion(_environment: Environment, shell: Shell): Promise<number> {
  process.stdout.write(SCRIPTS[shell])
  return Promise.resolve(EXIT.succeeded)
}

/**
 * Each script calls `kontroler __complete WORD…`, whose last word is the one being typed. It answers one candidate a
 * line, `word<TAB>meaning`, and last `:0` (files as well), `:4` (nothing else) or `:16` (directories).
 */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for kontroler
_kontroler() {
  local IFS=$'\\n' cur="\${COMP_WORDS[COMP_CWORD]}" answer directive line words=()
  answer=$("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
  directive="\${answer##*:}"
  for line in \${answer%:*}; do
    line="\${line%%$'\\t'*}"
    [[ $line == "$cur"* ]] && words+=("$line")
  done
  COMPREPLY=("\${words[@]}")
  if [[ $directive == 0 ]]; then compopt -o filenames; COMPREPLY+=($(compgen -f -- "$cur")); fi
  if [[ $directive == 16 ]]; then compopt -o filenames; COMPREPLY+=($(compgen -d -- "$cur")); fi
}
complete -F _kontroler kontroler
`,
  zsh: `#compdef kontroler
# zsh completion for kontroler
_kontroler() {
  local -a lines found
  local line directive
  lines=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  directive="\${lines[-1]#:}"
  for line in "\${(@)lines[1,-2]}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#found} )) && _describe -V kontroler found
  [[ $directive == 0 ]] && _files
  [[ $directive == 16 ]] && _files -/
  return 0
}
if [[ $funcstack[1] == _kontroler ]]; then _kontroler "$@"; else compdef _kontroler kontroler; fi
`,
  fish: `# fish completion for kontroler
function __kontroler_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
  test (count $answer) -gt 0; or return
  set -l current (commandline -ct)
  switch $answer[-1]
    case ':0'
      __fish_complete_path $current
    case ':16'
      __fish_complete_directories $current
  end
  test (count $answer) -gt 1; and printf '%s\\n' $answer[1..-2]
end
complete -c kontroler -f -a '(__kontroler_complete)'
`,
}
