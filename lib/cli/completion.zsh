#compdef satchel
# zsh completion of satchel: its commands, and files
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
if ((CURRENT == 2)); then
  _describe command commands
elif ((CURRENT == 3)) && [[ ${words[2]} == dead ]]; then
  compadd list show replay discard export
elif ((CURRENT == 3)) && [[ ${words[2]} == identity ]]; then
  compadd show renew
else
  _files
fi
