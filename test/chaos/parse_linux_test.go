package chaos

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlGroups(t *testing.T) {
	t.Parallel()
	below, v2, err := readControlGroup("9:name=systemd:/x\n4:cpu,memory:/docker/1\n0::/docker/2\n", "memory")
	require.NoError(t, err)
	require.False(t, v2)
	require.Equal(t, "/docker/1", below)
	below, v2, err = readControlGroup("0::/system.slice/docker-1.scope\n", "memory")
	require.NoError(t, err)
	require.True(t, v2)
	require.Equal(t, "/system.slice/docker-1.scope", below)
	_, _, err = readControlGroup("nonsense\n", "memory")
	require.Error(t, err)
}

func TestPacketsAreKnownByTheirNumbers(t *testing.T) {
	t.Parallel()
	message := func(kind uint16, number byte) []byte {
		content := append(attribute(9, []byte{1}), attribute(attrPacket, []byte{0, 0, 0, number, 8, 0, 1})...)
		m := binary.NativeEndian.AppendUint32(nil, uint32(headerLength+len(content)))
		m = binary.NativeEndian.AppendUint16(m, kind)
		return append(append(m, make([]byte, headerLength-6)...), content...)
	}
	all := append(append(message(nlPacket, 7), message(nlConfig, 8)...), message(nlPacket, 9)...)
	require.Equal(t, [][]byte{{0, 0, 0, 7}, {0, 0, 0, 9}}, packetIDs(all))
	for n := range all {
		require.NotPanics(t, func() { packetIDs(all[:n]) })
		broken := append([]byte(nil), all...)
		broken[n] = 0xff
		require.NotPanics(t, func() { packetIDs(broken) })
	}
}
