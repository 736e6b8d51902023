package interop;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Leads sockets for hosts below the endpoint to the service, whatever port they are meant for: the consumer library has no
 * setting for it. The names resolve by a hosts file, and a SOCKS entrance inside this process dials the service.
 */
final class Addressing {
    private Addressing() {}

    /** Must come before the first look-up of a name. */
    static void install(Environment env) throws IOException {
        Path hosts = Files.createTempFile("interop-hosts", "");
        hosts.toFile().deleteOnExit();
        Files.writeString(hosts, "127.0.0.1 localhost " + env.project + "." + env.host + "\n");
        System.setProperty("jdk.net.hosts.file", hosts.toString());
        ServerSocket entrance = new ServerSocket(0, 50, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
        background(() -> accept(entrance, env.port));
        Proxy socks = new Proxy(Proxy.Type.SOCKS, entrance.getLocalSocketAddress());
        ProxySelector.setDefault(new ProxySelector() {
            @Override
            public List<Proxy> select(URI uri) {
                boolean below = uri.getHost() != null && uri.getHost().endsWith("." + env.host);
                return List.of(below ? socks : Proxy.NO_PROXY);
            }

            @Override
            public void connectFailed(URI uri, SocketAddress address, IOException failure) {
                System.err.println("no connection to " + uri + ": " + failure);
            }
        });
    }

    static void background(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private static void accept(ServerSocket entrance, int port) {
        while (true) {
            try {
                Socket client = entrance.accept();
                background(() -> serve(client, port));
            } catch (IOException failure) {
                System.err.println("the SOCKS entrance is closed: " + failure);
                return;
            }
        }
    }

    private static void serve(Socket client, int port) {
        try {
            DataInputStream in = new DataInputStream(client.getInputStream());
            OutputStream out = client.getOutputStream();
            in.readUnsignedByte();
            in.readNBytes(in.readUnsignedByte());
            out.write(new byte[] {5, 0});
            in.readNBytes(3);
            int kind = in.readUnsignedByte();
            in.readNBytes((kind == 1 ? 4 : kind == 4 ? 16 : in.readUnsignedByte()) + 2);
            Socket service = new Socket(Proxy.NO_PROXY);
            service.connect(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port));
            out.write(new byte[] {5, 0, 0, 1, 0, 0, 0, 0, 0, 0});
            background(() -> copy(client, service));
            copy(service, client);
        } catch (IOException failure) {
            close(client);
        }
    }

    private static void copy(Socket from, Socket to) {
        try (InputStream in = from.getInputStream(); OutputStream out = to.getOutputStream()) {
            in.transferTo(out);
        } catch (IOException ended) {
            close(from);
        }
        close(to);
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException ignored) {
            // It is closed already.
        }
    }
}
