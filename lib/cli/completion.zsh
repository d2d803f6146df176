#compdef satchel
# zsh completion of satchel: its commands, their options, and files
local -a commands
commands=(
  'status:show what waits, what is stuck and why'
  'watch:draw the backlog over time'
  'list:list messages that wait'
  'show:show one message or dead letter'
  'send:put a message into the outbox'
  'relay:send what waits'
  'dead:list, show, replay, discard, export dead letters'
  'check:look for what is wrong with the file'
  'identity:show or renew the identity'
  'backup:copy the file as it is now'
  'salvage:save what can be read of a damaged file'
  'export:write messages as JSON lines'
  'import:read messages from JSON lines'
)
local -A options
options=(
  'status' '--json --watch --interval'
  'watch' '--interval'
  'list' '--topic --key --failed --limit --after --json'
  'show' '--json --payload'
  'send' '--payload-file --key --content-type --header --expires-after --not-before --priority --coalesce --create --options-from'
  'relay' '--sink --until-empty --timeout --options-from'
  'dead list' '--topic --limit --after --json'
  'dead show' '--json'
  'dead replay' '--topic --all'
  'dead discard' '--topic --all --yes --options-from'
  'dead export' '--topic'
  'identity show' ''
  'identity renew' '--yes'
  'check' '--quick'
  'backup' ''
  'salvage' ''
  'export' '--topic'
  'import' '--options-from'
)
if ((CURRENT == 2)); then
  _describe command commands
  return
fi
local command=${words[2]}
if [[ $command == dead || $command == identity ]]; then
  if ((CURRENT == 3)); then
    [[ $command == dead ]] && compadd list show replay discard export || compadd show renew
    return
  fi
  command+=" ${words[3]}"
fi
if [[ ${words[CURRENT]} == -* ]]; then
  compadd -- --help ${=options[$command]}
elif [[ ${words[CURRENT - 1]} == --priority ]]; then
  compadd urgent normal bulk
elif [[ ${words[CURRENT - 1]} == --sink ]]; then
  compadd -S '' mqtt:// mqtts:// http:// https:// stdout:
else
  _files
fi
