# bash completion of satchel
_satchel() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local commands='status watch list show send relay dead check identity backup salvage export import'
  local command=${COMP_WORDS[1]} first=2 options='--help'
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
    return
  fi
  case $command in
    dead)
      first=3
      if ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W 'list show replay discard export --help' -- "$word")
        return
      fi
      command="dead ${COMP_WORDS[2]}"
      ;;
    identity)
      first=3
      if ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W 'show renew --help' -- "$word")
        return
      fi
      command="identity ${COMP_WORDS[2]}"
      ;;
  esac
  case $previous in
    --priority)
      mapfile -t COMPREPLY < <(compgen -W 'urgent normal bulk' -- "$word")
      return
      ;;
    --payload-file)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --sink)
      mapfile -t COMPREPLY < <(compgen -W 'mqtt:// mqtts:// http:// https:// stdout:' -- "$word")
      return
      ;;
    --topic | --key | --limit | --after | --interval | --timeout | --content-type | --header | --expires-after | \
      --not-before | --options-from) return ;;
  esac
  case $command in
    status) options+=' --json --watch --interval' ;;
    watch) options+=' --interval' ;;
    list) options+=' --topic --key --failed --limit --after --json' ;;
    show) options+=' --json --payload' ;;
    send) options+=' --payload-file --key --content-type --header --expires-after --not-before --priority --coalesce
      --create --options-from' ;;
    relay) options+=' --sink --until-empty --timeout --options-from' ;;
    'dead list') options+=' --topic --limit --after --json' ;;
    'dead show') options+=' --json' ;;
    'dead replay') options+=' --topic --all' ;;
    'dead discard') options+=' --topic --all --yes --options-from' ;;
    'dead export' | export) options+=' --topic' ;;
    'identity renew') options+=' --yes' ;;
    check) options+=' --quick' ;;
    import) options+=' --options-from' ;;
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif ((COMP_CWORD == first)) || [[ $command == backup || $command == import ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _satchel satchel
