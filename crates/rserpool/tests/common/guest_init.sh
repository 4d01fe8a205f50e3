#!/bin/sh
# The first process of the guest: SCTP in the kernel, two interfaces, and then one script after the
# other that the host puts into the folder.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8
cd "$(dirname "$0")" || exit
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/lib
ln -s /usr/lib/uml/modules /run/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run "$@"\n' > modprobe
chmod +x modprobe
echo "$PWD/modprobe" > /proc/sys/kernel/modprobe
modprobe -d /run sctp
ip link set lo up
for wire in 0 1; do
    ip address add "10.9$wire.0.2/24" dev "vec$wire"
    ip link set "vec$wire" up
    # Linux 6.1 loses encapsulated messages of several packets otherwise.
    ethtool -K "vec$wire" gso off tx-sctp-segmentation off
done
ip route add 224.0.0.0/4 dev vec0
# Sockets made before this would answer without UDP.
sysctl -q net.sctp.udp_port=9899
echo > ready
while [ ! -e stop ]; do
    if [ -e script ]; then
        mv script running
        sh running > output 2>&1
        mv output done
    fi
    sleep 0.05
done
echo o > /proc/sysrq-trigger
sleep 60
