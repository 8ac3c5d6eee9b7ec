import CLinux
import Glibc

/// Names for what tests make outside of the package. What has such a name is gone when the process has ended, however
/// that ended: a watcher, which is a process of its own, sees to it.
package enum Scratch {
    /// The beginning of a path, to be followed by what makes it unique: this process's own.
    ///
    /// - Parameter kind: letters, for a person who finds it.
    package static func prefix(_ kind: String, in parent: String = "/tmp") -> String {
        _ = watcher
        return "\(parent)/mica-\(kind)-\(getpid())-"
    }

    /// The watcher's process: one, once there is something to watch.
    private static let watcher: CInt = {
        let command = ["/bin/sh", "-c", script, "mica-tests-watcher", "\(getpid())"]
        var arguments = command.map { UnsafePointer<CChar>(strdup($0)) }
        defer { for argument in arguments { free(UnsafeMutablePointer(mutating: argument)) } }
        arguments.append(nil)
        // In a session of its own: what ends the tests (a key, a closed terminal) does not end it.
        return clinux_spawn_host(command[0], arguments, [-1, -1, -1], 3, 1)
    }()

    /// A mount's daemon ends when it is unmounted, and a loop device with its last mount. Processes that were started for a
    /// path of this kind and live on after that are killed.
    private static let script = #"""
        tail --pid="$1" -f /dev/null
        ours="/tmp/mica-[a-z]*-$1-"
        mounts() { cut -d ' ' -f 5 /proc/self/mountinfo | grep "^\(/var\)*$ours" | tac; }
        processes() {
            for process in /proc/[0-9]*; do
                case "${process#/proc/}" in $$) continue ;; esac
                tr '\0' ' ' < "$process/cmdline" 2> /dev/null | grep -q "$ours" && echo "${process#/proc/}"
            done
        }
        for try in 1 2 3 4 5 6 7 8 9 10; do
            mounts | while read -r mount; do
                fsfreeze -u "$mount" 2> /dev/null
                umount -l "$(printf '%b' "$mount")"
            done
            sleep 0.2
            for process in $(processes); do kill -9 "$process"; done
            [ -z "$(mounts)$(processes)" ] && break
        done
        rm -rf --one-file-system /tmp/mica-*-"$1"-* /var/tmp/mica-*-"$1"-* /dev/shm/mica-*-"$1"-*
        """#
}
