/** nginx with WebDAV PUT and client certificates: neither hash nor fsync. */
import { join } from 'node:path'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { missingProgram } from '../frame/installed.ts'
import { freePort, type Peer, stopper, untilItListens } from './peer.ts'

export const nginx: Peer = {
  name: 'nginx',
  missing: () => missingProgram(['nginx'], 'apt install nginx-light, or nginx'),
  async start({ children, dir, certificates: { ca, server } }) {
    const store = join(dir, 'store')
    for (const name of ['store', 'temp']) await makeDir(join(dir, name))
    const port = await freePort()
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${dir}/temp/${kind};`)
    await replaceFile(
      join(dir, 'nginx.conf'),
      `user root;
daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 16000; }
http {
${temp.join('\n')}
  access_log off;
  client_max_body_size 0;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${server.cert};
    ssl_certificate_key ${server.key};
    ssl_client_certificate ${ca};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    ssl_session_cache shared:bench:16m;
    root ${store};
    location / { dav_methods PUT; create_full_put_path on; }
    location = /v1/receipt-keys { return 200 "{}"; }
  }
}
`,
    )
    const child = children.start('nginx', '/bin/sh', [
      '-c',
      'PATH=$PATH:/usr/sbin; exec nginx -e stderr -c "$1"',
      'sh',
      join(dir, 'nginx.conf'),
    ])
    await untilItListens(child, port)
    return { name: 'nginx', port, pids: [child.pid], store, upload: 'put', stop: stopper(child) }
  },
}
