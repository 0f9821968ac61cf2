# Written by .ci/tables from sttproxy/options.py.
_sttproxy() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= options="" files=
    # Bash takes the equals sign of --option=value as a word of its own.
    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    (( COMP_CWORD > 1 )) && command=${COMP_WORDS[1]}
    case $command in
    check)
        options="--strict --profile-by-key --help --version"
        files=yes
        case $prev in
        --profile-by-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        esac ;;
    clean)
        options="--diff --config --profile --profile-by-key --help --version"
        files=yes
        case $prev in
        --config) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --profile) :; return ;;
        --profile-by-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        esac ;;
    explain)
        options="--config --profile --profile-by-key --form -F --header -H --address --path --help --version"
        case $prev in
        --config) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --profile) :; return ;;
        --profile-by-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --form|-F) :; return ;;
        --header|-H) :; return ;;
        --address) :; return ;;
        --path) :; return ;;
        esac ;;
    health)
        options="--live --timeout --help --version"
        case $prev in
        --timeout) :; return ;;
        esac ;;
    schema)
        options="--help --version"
        case $prev in
        esac ;;
    service)
        options="--help --version"
        case $prev in
        esac ;;
    upgrade)
        options="--pidfile --wait --help --version"
        files=yes
        case $prev in
        --pidfile) :; return ;;
        --wait) :; return ;;
        esac ;;
    *)
        options="--host --port --listen --socket-mode --workers --trust-forwarded --forwarded --proxy-protocol-from --cors-origin --tls-cert --tls-key --tls-client-ca --target-host --target-port --target --target-ca --target-cert --target-key --target-insecure --target-host-header --target-key-file --pool-size --pool-idle --config --profile --profile-by-key --require-key --explain-header --max-clients --max-connections --pool-wait --max-transcriptions --max-queue --max-body --max-json --max-transcript --connect-timeout --connect-retry --send-timeout --answer-timeout --head-timeout --body-timeout --idle-timeout --drain-timeout --grace --log-format --log-level --log-keep --monitor --monitor-from --monitor-clients --server-timing --no-progress --embedded --embedded-model --help --version"
        case $prev in
        --host) :; return ;;
        --port) :; return ;;
        --listen) :; return ;;
        --socket-mode) :; return ;;
        --workers) :; return ;;
        --trust-forwarded) :; return ;;
        --proxy-protocol-from) :; return ;;
        --cors-origin) :; return ;;
        --tls-cert) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --tls-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --tls-client-ca) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --target-host) :; return ;;
        --target-port) :; return ;;
        --target) :; return ;;
        --target-ca) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --target-cert) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --target-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --target-host-header) :; return ;;
        --target-key-file) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pool-size) :; return ;;
        --pool-idle) :; return ;;
        --config) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --profile) :; return ;;
        --profile-by-key) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --max-clients) :; return ;;
        --max-connections) :; return ;;
        --pool-wait) :; return ;;
        --max-transcriptions) :; return ;;
        --max-queue) :; return ;;
        --max-body) :; return ;;
        --max-json) :; return ;;
        --max-transcript) :; return ;;
        --connect-timeout) :; return ;;
        --connect-retry) :; return ;;
        --send-timeout) :; return ;;
        --answer-timeout) :; return ;;
        --head-timeout) :; return ;;
        --body-timeout) :; return ;;
        --idle-timeout) :; return ;;
        --drain-timeout) :; return ;;
        --grace) :; return ;;
        --log-format) COMPREPLY=($(compgen -W "text json combined" -- "$cur")); return ;;
        --log-level) COMPREPLY=($(compgen -W "debug info warn error" -- "$cur")); return ;;
        --log-keep) :; return ;;
        --monitor) :; return ;;
        --monitor-from) :; return ;;
        --embedded-model) :; return ;;
        esac ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    elif (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W "check clean explain health schema service upgrade" -- "$cur"))
    elif [[ $files ]]; then
        compopt -o filenames 2> /dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -F _sttproxy sttproxy
