"""The eighty ways out of a sandbox that are tried, by number, and where: a map for the reader, kept true by the tests below.

A bare word is an attempt in sandbox_attempts.py, run at each level as root and as an ordinary user, with a control
outside; "gate:" one in gateway_attempts.py; "FILE.py:test" a test beside this file; a path a unit test.
"""
import re
from pathlib import Path

import pytest

import test_sandbox as rules
from conftest import ROOT

HERE = Path(__file__).parent
pytestmark = pytest.mark.release_only  # nothing of ours runs: the table is compared with the tests
S, A, G = "test_sandbox.py:", "test_attempts.py:", "test_gateway.py:"
C = "src/jail/seccomp_test.c:refuses_ways_out"

TABLE = {
    1: ("write to a readonly path", "write_readonly"),
    2: ("remount it writable", "remount_writable", "call_mount_setattr"),
    3: ("unmount a cover", "uncover_by_umount", "umount_by_descriptor"),
    4: ("a hard link to a denied file", A + "test_another_name_of_a_denied_file_is_said"),
    5: ("another spelling or alias of a denied path", "read_denied_slashes", "read_denied_link", "read_denied_by_cwd",
        A + "test_a_denied_path_is_denied_by_each_of_its_names"),
    6: ("rename what is above it", "uncover_by_rename", "read_denied_by_parent", "move_parent_of_denied",
        S + "test_a_denied_path_keeps_its_name_for_the_next_run"),
    7: ("chmod the cover", "uncover_by_chmod"),
    8: ("through /proc/PID/root and cwd", "read_denied_by_root", "read_through_pid1", "read_denied_by_pid1"),
    9: ("climb by ..", "climb"),
    10: ("an inherited directory", "inherited_descriptor", S + "test_a_directory_as_standard_input_is_refused"),
    11: ("a descriptor over a socket of the host", "host_project_socket", "host_path_socket"),
    12: ("a planted link that the host follows", A + "test_a_link_that_a_run_plants_shows_nothing_to_the_next",
         A + "test_nothing_is_made_where_a_planted_link_leads", "test_builds.py:test_the_result_of_a_build_is_not_trusted"),
    13: ("a path exchanged between check and mount", "src/jail/compile_test.c:a_link_leads_out_of_nothing_writable",
         A + "test_a_link_that_a_run_plants_shows_nothing_to_the_next"),
    14: ("chroot, pivot_root", "change_root", "call_pivot_root"),
    15: ("a new user namespace", "new_user_namespace", "new_user_namespace_by_clone", "new_namespace_by_clone3",
         S + "test_each_layer_holds_alone"),
    16: ("enter a namespace of the host", "enter_namespace", "open_host_namespace"),
    17: ("a file by its handle", "open_by_handle", "file_handle"),
    18: ("devices", "make_device", "open_disk"),
    19: ("mounts of one's own", "mount_tmpfs", "new_mount_interface", "call_mount", "call_open_tree", "call_fsmount",
         "call_move_mount", "call_fspick", "call_fsconfig"),
    20: ("attributes of overlays", "redirect_layer", "redirect_layer_as_root",
         A + "test_an_overlay_does_not_follow_what_a_lower_file_says"),
    21: ("set-user-ID and capable programs, found or made", "setuid_program", "capable_program", "make_setuid",
         "make_setuid_by_descriptor", "make_setuid_by_open", "make_setuid_by_openat2", "make_setuid_by_mknod",
         "make_setuid_by_fchmodat2"),
    22: ("maps of ids", "write_uid_map", "write_gid_map", "write_setgroups"),
    23: ("helpers that the kernel runs", "write_core_pattern", "write_modprobe", "write_uevent_helper",
         "write_release_agent"),
    24: ("a core file", "leave_core", "raise_limit"),
    25: ("the launcher's program", "write_launcher"),
    26: ("what is left open at exec", S + "test_nothing_gets_out"),
    27: ("/proc entries of the machine", "press_sysrq", "read_kcore", "read_keys", "read_kallsyms", "read_timers"),
    28: ("other processes' memory and descriptors", "ptrace", "trace_parent", "read_memory", "take_descriptor",
         "read_host_environment", "call_process_vm_writev", "call_process_madvise"),
    29: ("signals to what watches", "signal_host_process", "stop_launcher"),
    30: ("key rings", "key_ring", "new_key", "call_request_key", "call_keyctl"),
    31: ("io_uring", "io_uring", "call_io_uring_enter", "call_io_uring_register"),
    32: ("large and privileged calls", "user_faults", "bpf", "compare_processes", "splice_pages", "personality",
         "call_perf_event_open", "call_kexec_load", "call_init_module", "call_syslog", "call_quotactl", "call_acct",
         "call_swapon", "call_reboot", "call_iopl", C),
    33: ("foreign call numbers", "x32_call", "i386_call"),
    34: ("a call that is not known yet", "future_call"),
    35: ("type into a terminal", "type_into_terminal", "type_with_high_bits", "paste_into_console",
         A + "test_what_is_typed_for_the_callers_shell_does_not_appear"),
    36: ("the caller's terminal", "open_callers_terminal", S + "test_a_terminal_of_its_own",
         A + "test_what_is_typed_for_the_callers_shell_does_not_appear"),
    37: ("sockets of services and agents", "host_path_socket", "host_agent_socket",
         S + "test_a_path_that_would_show_the_machine_is_an_error"),
    38: ("abstract sockets of the host", "host_abstract"),
    39: ("odd families of sockets", "vsock", "kernel_crypto", "packet_socket", "raw_socket", "uevents", "socket_can",
         "socket_bluetooth", "socket_xdp", "socket_tipc", "socket_rds", "socket_smc", "socket_netlink_audit",
         "socket_netlink_netfilter", "socket_packet_old"),
    40: ("MPTCP past rules for ports", "mptcp"),
    41: ("an address or port that is not allowed", "gate:unlisted_address", "gate:unlisted_port"),
    42: ("the host's loopback, the gateway, the cloud's metadata", "host_tcp", "gate:loopback_of_machine",
         "gate:router_open_port", "gate:router_other_port", "gate:metadata_address"),
    43: ("an allowed name that leads inside", "gate:leads_to_private", "gate:leads_to_metadata", "gate:leads_to_loopback"),
    44: ("DNS as a way out", "gate:dns_unlisted", "gate:dns_tunnel", "gate:dns_of_the_world", "gate:dns_odd_bytes"),
    45: ("UDP, ICMP, SCTP", "internet", "gate:udp", "gate:raw_icmp", "gate:sctp"),
    46: ("IPv6 in its forms", "gate:ipv6_literal", "gate:ipv4_mapped"),
    47: ("another server name in TLS", "gate:sni_of_another", "gate:sni_none", "gate:sni_with_suffix", "gate:sni_twice"),
    48: ("another Host in HTTP", "gate:host_of_another", "gate:host_twice", "gate:host_folded", "gate:absolute_target",
         "gate:other_host_kept_alive", "gate:upgrade", "gate:connect_method"),
    49: ("names that look like allowed ones", "gate:dns_suffix_before", "gate:dns_suffix_behind", "gate:dns_wildcard_itself"),
    50: ("many half-open connections and names", G + "test_many_half_open_connections_stay_small", "gate:dns_labels_are_bounded"),
    51: ("bandwidth by many connections", G + "test_the_limit_of_bandwidth_holds_for_all_connections_together"),
    52: ("inbound ports from elsewhere", G + "test_inbound_ports_are_led_in_from_the_loopback_alone"),
    53: ("change the sandbox's own network", "gate:add_route"),
    54: ("end the gateway", G + "test_nothing_gets_out_once_the_gateway_is_gone"),
    55: ("fork bombs", S + "test_the_number_of_processes_is_held", A + "test_the_number_of_processes_is_held_whatever_they_are"),
    56: ("memory bombs", S + "test_memory_is_held", A + "test_memory_of_any_kind_is_held"),
    57: ("processor by many, and by priority", "be_nicer", "real_time", S + "test_processor_time_is_shared_out",
         A + "test_the_processor_is_shared_out_among_daemons_too"),
    58: ("SIGCONT to what was stopped", A + "test_the_processor_is_shared_out_among_daemons_too"),
    59: ("fill the disk", S + "test_memory_that_is_a_disk_is_held", S + "test_what_the_project_takes_on_disk_is_measured",
         A + "test_a_disk_in_memory_is_full_in_the_end", A + "test_what_is_removed_and_open_counts_on_the_disk_too"),
    60: ("a file that is too large", S + "test_the_largest_file_is_held", A + "test_no_call_makes_a_larger_file"),
    61: ("many disk operations", S + "test_the_largest_number_of_disk_operations_is_held_or_said_not_to_be"),
    62: ("cgroup files", "leave_group", "write_release_agent", "mount_tmpfs"),
    63: ("raise limits, change those of others", "raise_limit", "limit_host_process", "limit_launcher"),
    64: ("out of the OOM killer's sight", "oom_shield"),
    65: ("outlive the run", S + "test_nothing_outlives_the_command", S + "test_nothing_outlives_a_killed_launcher"),
    66: ("a launcher that dies while it builds", A + "test_nothing_is_left_of_a_launcher_killed_while_it_builds"),
    67: ("the host's environment variables", "secret_of_own", "secret_of_pid1", "secret_of_launcher", "read_host_environment"),
    68: ("secrets of the home", "read_home", "read_other_secrets"),
    69: ("poison for later", "write_environment", "write_interpreter", "write_start_up_code",
         S + "test_changes_of_a_container_are_gone"),
    70: ("a wheel made inside with hostile entries", "src/install/unpack_test.c:refuses_wheels_that_break_a_rule",
         "test_builds.py:test_the_result_of_a_build_is_not_trusted"),
    71: ("injected or endless log lines", "gate:dns_odd_bytes", G + "test_refusals_without_end_do_not_fill_the_audit_log"),
    72: ("write the audit log", "write_audit_log"),
    73: ("change the policy during the run", A + "test_a_change_of_the_policy_does_not_reach_a_command_that_runs"),
    74: ("odd paths and foreign files in the configuration", A + "test_paths_with_any_bytes_are_denied_all_the_same",
         "test_trust.py:test_files_of_another_user_are_never_accepted", "src/jail/compile_test.c:never_shows_the_machine"),
    75: ("a mechanism is missing", A + "test_what_is_missing_is_never_called_hard", S + "test_without_namespaces_it_says_so",
         S + "test_a_container_without_a_cgroup_is_refused", G + "test_without_the_program_nothing_gets_out_and_it_says_so"),
    76: ("set the clock", "set_clock", "call_adjtimex", "call_settimeofday", "call_clock_adjtime"),
    77: ("set the host's name", "host_name", "call_setdomainname"),
    78: ("one sandbox to another", A + "test_two_sandboxes_do_not_reach_each_other"),
    79: ("threads that escape the filter", S + "test_nothing_gets_out"),
    80: ("Blast inside Blast", S + "test_blast_inside_blast_is_refused_clearly"),
}
# Parts of the above for which this machine, or what Blast promises, gives nothing to try.
NOT_TRIED = {
    11: "a socket that is made after the start in a shown directory can be connected to: Landlock ABI 9 would refuse it, "
        "host_sockets is reported as advisory",
    13: "the exchange between the two looks itself: it cannot be hit at will; both look at paths without links",
    36: "at the level process terminals of the same user can be opened by name: openpty() needs the right to /dev/pts",
    65: "at the level process descendants outlive a launcher that is killed: reported as advisory",
}


def attempts_of(name):
    text = (HERE / name).read_text()
    words = re.findall(r"^@attempt\ndef (\w+)", text, re.M)
    for prefix, table in re.findall(r'^tries\.update\(\{"(\w+)" \+ name: .*?in \{(.*?)^\}\.items', text, re.M | re.S):
        words += [prefix + w for w in re.findall(r'"(\w+)": \(', table)]
    return words


def is_there(place):
    where, _, name = place.rpartition(":")
    if where == "gate":
        return name in attempts_of("gateway_attempts.py")
    if not where:
        return name in attempts_of("sandbox_attempts.py")
    path = ROOT / where if "/" in where else HERE / where
    return re.search(rf"^(static void|def) {name}\(", path.read_text(), re.M)


def test_each_number_has_its_tests():
    assert sorted(TABLE) == list(range(1, 81))
    missing = [f"{n}: {place}" for n, (_, *places) in TABLE.items() for place in places if not is_there(place)]
    assert not missing and all(len(row) > 1 for row in TABLE.values()), missing


def test_every_attempt_is_judged():
    names = attempts_of("sandbox_attempts.py")
    judged = {*rules.BLOCKED, *rules.REFUSED, *rules.REFUSED_CALLS, *rules.OF_USERS, *rules.WORKS}
    assert len(names) == len(set(names)) and len(names) > 100
    assert set(names) == judged


@pytest.mark.parametrize("number", NOT_TRIED)
def test_what_is_not_tried(number):
    pytest.skip(f"{number}, {TABLE[number][0]}: {NOT_TRIED[number]}")
