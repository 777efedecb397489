# bash completion for sekisho; facility names come from the running gateway.
_sekisho_facilities() {
  sekisho show facilities --json 2>/dev/null | grep -o '"facility":"[a-z0-9-]*"' | cut -d'"' -f4
}
_sekisho() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}
  local common="--config --runtime --state --json --help"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "check run reload apply confirm rollback history diff status show explain matrix verify isolate rejoin key facility doctor --help" -- "$word"))
    return
  fi
  case $before in
    --config|--out) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --runtime|--state) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --protocol) COMPREPLY=($(compgen -W "ikev2 wireguard" -- "$word")); return ;;
    --vendor) COMPREPLY=($(compgen -W "yamaha-rtx nec-ix cisco-ios-xe fortigate alliedware-plus strongswan wg-quick" -- "$word")); return ;;
    --kind) COMPREPLY=($(compgen -W "wireguard ecdsa-p256 ecdsa-p384 ecdsa-p521 rsa-3072 rsa-4096 ed25519" -- "$word")); return ;;
    --lang) COMPREPLY=($(compgen -W "ja en" -- "$word")); return ;;
    router-config|sheet) [ "$verb" = facility ] && COMPREPLY=($(compgen -W "$(_sekisho_facilities)" -- "$word")) && return ;;
    --canary) COMPREPLY=($(compgen -W "$(_sekisho_facilities)" -- "$word")); return ;;
    --role) COMPREPLY=($(compgen -W "viewing disclosing" -- "$word")); return ;;
  esac
  case $verb in
    check) COMPREPLY=($(compgen -f -W "$common" -- "$word")) ;;
    show)
      case $before in
        facilities|tunnels|permissions) COMPREPLY=($(compgen -W "$(_sekisho_facilities) $common" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "facilities tunnels routes flows permissions --watch --unused $common" -- "$word")) ;;
      esac ;;
    isolate|rejoin) COMPREPLY=($(compgen -W "$(_sekisho_facilities) --all --reason $common" -- "$word")) ;;
    explain) COMPREPLY=($(compgen -W "$(_sekisho_facilities) --at $common" -- "$word")) ;;
    matrix)
      case $before in
        --from|--to) COMPREPLY=($(compgen -W "$(_sekisho_facilities)" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "--from --to --at --html --lang --out $common" -- "$word")) ;;
      esac ;;
    verify) COMPREPLY=($(compgen -W "--live $common" -- "$word")) ;;
    status) COMPREPLY=($(compgen -W "--strict $common" -- "$word")) ;;
    key)
      if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "generate public csr rotate" -- "$word")); return; fi
      case ${COMP_WORDS[2]} in
        rotate) COMPREPLY=($(compgen -W "$(_sekisho_facilities) --swap --back --ppk $common" -- "$word")) ;;
        csr) COMPREPLY=($(compgen -f -W "--subject --san --out $common" -- "$word")) ;;
        generate) COMPREPLY=($(compgen -f -W "--kind $common" -- "$word")) ;;
        *) COMPREPLY=($(compgen -f -- "$word")) ;;
      esac ;;
    facility)
      case ${COMP_WORDS[2]} in
        router-config) COMPREPLY=($(compgen -W "--vendor --filter --out $common" -- "$word")) ;;
        suggest-prefix) COMPREPLY=($(compgen -W "--real --size --from --avoid $common" -- "$word")) ;;
        sheet) COMPREPLY=($(compgen -W "--lang --vendor --out $common" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "add router-config sheet suggest-prefix --protocol --title --role --network --may-use --source --remote-id --endpoint --reason --approved-by --until --out $common" -- "$word")) ;;
      esac ;;
    reload) COMPREPLY=($(compgen -W "--comment --again $common" -- "$word")) ;;
    apply) COMPREPLY=($(compgen -W "--confirm --canary --down --comment --again --replay --stop-flows $common" -- "$word")) ;;
    diff) COMPREPLY=($(compgen -f -W "--replay --at $common" -- "$word")) ;;
    rollback) COMPREPLY=($(compgen -W "--comment $common" -- "$word")) ;;
    history) COMPREPLY=($(compgen -d -W "--out $common" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$common" -- "$word")) ;;
  esac
}
complete -F _sekisho sekisho
