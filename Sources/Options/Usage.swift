/// The text of --help. The first line is fuse-overlayfs's, for scripts that look for it.
package enum Usage {
    package static let text = """
        usage: micafs [options] <mountpoint>
               micafs -o lowerdir=DIR[:DIR…][,upperdir=DIR,workdir=DIR][,OPTION…] [SOURCE] DIRECTORY
               micafs --chain FILE --store DIR [--upper DIR --work DIR] [-o OPTION[,…]] DIRECTORY
               micafs --materialize LOWER-AND-UPPER-AS-ABOVE

          -o lowerdir=DIR[:DIR…]  directories to show merged, topmost first (a colon in a name: \\:)
          -o upperdir=DIR         receives changes; without it the mount is read-only
          -o workdir=DIR          the upper's work directory, on the same filesystem
          --chain FILE            instead of lowerdir: the index of an image's layers
          --store DIR             the store that has their contents
          --upper DIR, --work DIR the same as upperdir= and workdir=

          -o uidmapping=C:H:N[:…]  a file of user C is shown as H's, and so on for N users; gidmapping= for groups
          -o squash_to_root       every file is shown as root's
          -o squash_to_uid=N      … as user N's; squash_to_gid=N for the group
          -o xattr_permissions=N  owner and mode are kept in an attribute: 1 security.*, 2 user.*
          -o volatile, fsync=0    never wait for the disk
          -o metacopy=on|off      leave data in the lower until it is written (on for images, off for directories)
          -o fill=idle|never      bring the rest of what was written in part while nothing is asked (never)
          -o writeback=1          keep what is written in the page cache until it is closed or synced
          -o redirect_dir=off     directories of a lower can't be renamed: EXDEV (on, or follow, which is as off)
          -o userxattr            keep the union's marks in user.overlay.* (the default without privileges)
          -o noacl, noxattrs=1    no ACLs, no extended attributes at all
          -o static_nlink         directories have a link count of 1
          -o allow_other          others may use the mount (the default for root)
          -o ro, nosuid, nodev, noexec, noatime, relatime, private, context=…, fsname=NAME, subtype=NAME …

          --materialize                mount nothing; bring all data that is in a lower into the upper
          -f, --foreground        don't go to the background
          -d, --debug, -o debug   log every request to stderr; implies -f
          -s, -o threaded=0       serve one request at a time
          --threads N             … or N (4); also -o max_threads=N
          --io MODE               how data moves: cached, passthrough (as root), or auto; also -o io=
          --transport HOW         how requests come: io_uring, dev (/dev/fuse), or auto; also -o transport=
          -o scheduling=HOW       leading: threads let their callers go first on a CPU (the default); or plain
          --source NAME           what the mount is called in /proc/mounts
          --log FILE              where errors go; without it stderr (-f) or syslog
          --lock FILE             held locked as long as the mount is served
          --lock-fd N             a locked descriptor to keep instead
          --keep-owners           note whose a copied file is where it can't be given to them, instead of refusing
          --end-with-caller       unmount once the thread that started this process has ended
          --ready-fd N            stay in this process, and write a byte to descriptor N when the mount answers
          -h, --help, -V, --version
        """
}
