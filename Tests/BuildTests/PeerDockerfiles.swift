/// What mica and buildah both build. Each is about one thing, and all that buildah 1.28 knows of it.
enum PeerDockerfiles {
    static let all = [
        config, configOfStage, substitution, arguments, escapes, commands, files, archives, stages, mounts,
        scratch,
        triggers,
    ]

    private static let config = """
        FROM localhost/base:1
        ARG NAME=value
        ARG OTHER
        ENV A=${NAME:-none} B=${OTHER:-b} C=${NAME:+c} D="a b" E=\\$A
        LABEL a=$A b="$D"
        ENV A=new A2=$A
        WORKDIR /one
        WORKDIR two
        EXPOSE 80 53/udp
        VOLUME /data
        VOLUME ["/json", "/other"]
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=30s --timeout=3s --start-period=2s --retries=4 CMD ["true"]
        ENTRYPOINT ["echo"]
        CMD ["x", "y"]
        USER ann
        """

    private static let configOfStage = """
        FROM localhost/base:1 AS one
        ENTRYPOINT ["sh"]
        CMD ["-c", "true"]
        ENV A=1
        VOLUME ["/v"]
        USER ann
        WORKDIR /home/ann
        HEALTHCHECK CMD true
        EXPOSE 1
        LABEL a=1 b=2
        FROM one
        ENTRYPOINT echo shell form
        HEALTHCHECK NONE
        LABEL b=3
        ENV A=2 B=$A
        WORKDIR sub
        EXPOSE 2/udp
        USER 5:6
        """

    private static let substitution = """
        ARG BASE=localhost/base
        FROM ${BASE}:1
        RUN chmod 1777 /tmp
        ARG DIR=dir
        ARG EMPTY=
        ENV E1=${UNSET:-default} E2=${DIR:+alt} E3=${UNSET:+alt}x E4=$DIR-$EMPTY- E5=${EMPTY:-filled}
        ENV E6="a  b" E7='$DIR' E8=\\$DIR E9="\\"q\\"" E10=a\\ b E11=${UNSET:-${DIR}}
        ENV OLD the rest $DIR "of it"
        LABEL l1=$DIR "l2"="$DIR x" l3='$DIR' l4=${E6}
        WORKDIR /work/$DIR
        COPY $DIR/a ${DIR}/copied
        COPY ${DIR}/sub/ $DIR
        ADD ${UNSET:-x1} /added/$DIR/
        COPY --chown=${UNSET:-7}:${UNSET:-8} x1 /owned
        EXPOSE ${PORT:-8080} 90/${PROTO:-udp}
        STOPSIGNAL ${SIGNAL:-SIGQUIT}
        USER ${WHO:-ann}
        RUN echo $DIR ${DIR} "$E6" '$E6' ${UNSET:-shell} > /tmp/said
        VOLUME /vol/$DIR
        CMD echo $DIR ${DIR}
        ENTRYPOINT ["echo", "$DIR"]
        """

    private static let arguments = """
        ARG TAG=1
        FROM localhost/base:${TAG} AS a
        ARG TAG
        ARG GIVEN=default
        ARG MISSING
        RUN echo "$TAG-$GIVEN-$MISSING-" > /args
        ENV GIVEN=env-$GIVEN
        RUN echo $GIVEN > /env
        FROM localhost/base:1
        COPY --from=a /args /env /from/
        RUN echo "$GIVEN" > /before
        ARG GIVEN
        RUN echo "$GIVEN" > /after
        """

    private static let escapes = """
        # escape=`
        FROM localhost/base:1
        RUN echo one && `
        # between
            echo two > /two

        ENV A="b c"
        LABEL x="y \\ z"
        run ["/bin/sh", "-c", "echo three > /three"]
        env lower=case
        """

    private static let commands = """
        FROM localhost/base:1
        ENV A="x y"
        RUN ["/bin/sh", "-c", "echo \\"$A\\" > /exec"]
        RUN echo $A > /shell && umask 027 && mkdir /masked && echo m > /masked/f
        RUN mkdir /made && chmod 1777 /made && echo a > /made/a && ln /made/a /made/b && ln -s a /made/c
        RUN busybox mkfifo /made/fifo && chown 5:6 /made/a && chmod 6755 /made/a && rm /bin/tty
        RUN mv /made /moved && mkdir /made && rm -r /home/ann 2>/dev/null; mkdir -p /home/ann && ln -s /none /dangling
        RUN touch -d '2001-02-03 04:05:06' /moved/a && echo long > "/a name"
        RUN chmod 1777 /tmp
        USER 1000:1001
        WORKDIR /tmp
        RUN id > who; pwd > where
        USER ann
        RUN id > who2; echo $HOME > home2
        USER root
        SHELL ["/bin/sh", "-e", "-c"]
        RUN echo $- > /options; \\
            true
        """

    private static let files = """
        FROM localhost/base:1
        RUN mkdir -p /have/dir/sub /have/other && echo old > /have/dir/a && chmod 700 /have/dir && ln -s /have/other /link
        COPY dir /have/dir/
        COPY dir /contents
        COPY dir/ /contents2/
        COPY dir/a dir/sub/b /into/
        COPY dir/* /star/
        COPY ["sp ace", ".hidden", "/json dir/"]
        COPY filelink /linked-file
        COPY links /links
        COPY hard /hard
        COPY x1 /renamed
        COPY x* /wild/
        COPY x? /question/
        COPY x[12] /range/
        COPY --chown=1:2 x1 /owned/
        COPY --chown=ann:root dir /owned-dir
        COPY --chmod=640 x1 /moded
        COPY x1 /link/
        COPY x2 /new/deep/er/
        COPY . /all/
        ADD dir /add/
        """

    private static let archives = """
        FROM localhost/base:1
        ADD t.tgz /unpacked/
        ADD x1 t.tgz /many/
        COPY t.tgz /packed/
        RUN mkdir -p /over/dir/other && echo old > /over/dir/a && ln -s /elsewhere /over/link
        ADD t.tgz /over
        """

    private static let stages = """
        FROM localhost/base:1 AS one
        RUN mkdir -p /d/e && echo text > /d/e/f && ln -s e/f /d/link && ln /d/e/f /d/hard && chown -R 7:8 /d
        FROM one AS two
        RUN echo more >> /d/e/f
        FROM localhost/base:1
        COPY --from=one /d /copied
        COPY --from=two /d/e/f /file
        COPY --from=0 /d/link /from-link
        COPY --from=localhost/base:1 /etc/passwd /image/
        COPY --from=one --chown=3 /d/e /owned
        CMD echo shell form
        """

    private static let mounts = """
        FROM localhost/base:1 AS one
        RUN mkdir /d && echo one > /d/f
        FROM localhost/base:1
        RUN --mount=type=bind,source=dir,target=/mnt cp -r /mnt /from-context
        RUN --mount=type=bind,from=one,source=/d,target=/mnt cat /mnt/f > /from-stage
        RUN --mount=type=tmpfs,target=/mnt echo gone > /mnt/f
        RUN --mount=type=cache,target=/mnt,id=peer echo gone > /mnt/f
        """

    private static let scratch = """
        FROM scratch
        COPY dir /
        ADD x1 /deep/down/
        ENV A=1
        """

    private static let triggers = """
        FROM localhost/base:1
        ONBUILD ENV T=1
        ONBUILD LABEL a="b c"
        MAINTAINER me
        SHELL ["/bin/sh", "-e", "-c"]
        CMD ["sh"]
        """
}
